"""What may stand in the config.json of a .keras file: layers that only calculate, written out one by one.

What is not here is refused, whatever it is: Lambda and TFSMLayer run code of the file's own, layers of text read files.
"""

from typing import Final

MODELS: Final = frozenset(
    {
        ("keras.src.models.functional", "Functional"),
        ("keras.src.models.sequential", "Sequential"),
        ("keras", "Sequential"),
    }
)
_LAYERS = """
Activation ActivityRegularization Add AlphaDropout Average AveragePooling2D BatchNormalization CenterCrop Concatenate
Conv2D Conv2DTranspose Cropping2D Dense DepthwiseConv2D Dot Dropout ELU Flatten GaussianDropout GaussianNoise
GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization Identity InputLayer LayerNormalization LeakyReLU
MaxPooling2D Maximum Minimum Multiply Normalization PReLU Permute RandomBrightness RandomContrast RandomCrop RandomFlip
RandomRotation RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv2D Softmax
SpatialDropout2D Subtract UnitNormalization UpSampling2D ZeroPadding2D
"""
LAYERS: Final = frozenset(_LAYERS.split())
# Calculations between layers, as `x + y` or `ops.log(x)` in a network become.
_NUMPY = """
Abs Absolute Add Clip Concatenate Divide Exp ExpandDims GetItem GreaterEqual Log Log1p Max Maximum Mean Min Minimum
Multiply Negative Power Reshape Sqrt Square Squeeze Stack Subtract Sum Take Tanh Transpose TrueDivide
"""
_NN = "Elu Gelu HardSigmoid HardSilu LeakyRelu Relu Relu6 Sigmoid Silu Softmax Softplus"
OPERATIONS: Final = {
    "keras.src.ops.numpy": frozenset(_NUMPY.split()),
    "keras.src.ops.core": frozenset({"Cast"}),
    "keras.src.ops.nn": frozenset(_NN.split()),
}
_INITIALIZERS = """
Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal RandomNormal
RandomUniform TruncatedNormal VarianceScaling Zeros
"""
PARTS: Final = {
    "keras.initializers": frozenset(_INITIALIZERS.split()),
    "keras.regularizers": frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
    "keras": frozenset({"DTypePolicy"}),
}
# Values that Keras writes as objects; each with what its `config` must be checked for elsewhere.
VALUES: Final = frozenset({"__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__"})

REFUSAL_REASONS: Final = {
    "Lambda": "it holds Python code, which would run here",
    "__lambda__": "it holds Python code, which would run here",
    "function": "a function in it would be called here",
    "TFSMLayer": "it runs a TensorFlow program from another file",
    "TorchModuleWrapper": "it holds pickled code, which would run here",
    "JaxLayer": "it holds code, which would run here",
    "FlaxLayer": "it holds code, which would run here",
    "__typespec__": "it names a type by its place in a program",
}


def find_problem(module: object, class_name: object, registered_name: object) -> str:
    """Why an object of a config.json is refused; "" where it is plain.

    Parameters
    ----------
    module, class_name, registered_name : as they stand there, of any type
    """
    if not isinstance(class_name, str):
        return "it has a layer without a name of its kind"
    if class_name in REFUSAL_REASONS:
        return f"its part {class_name} is not allowed: {REFUSAL_REASONS[class_name]}"
    if class_name in VALUES and module is None and registered_name is None:
        return ""
    if registered_name not in (None, class_name):
        return f"its part {registered_name} is somebody's own, whose code is not here"
    if not isinstance(module, str):
        return f"its part {class_name} does not say which module of Keras it is from"
    known = LAYERS if module == "keras.layers" else OPERATIONS.get(module) or PARTS.get(module) or frozenset()
    if class_name in known or (module, class_name) in MODELS:
        return ""
    if module.split(".")[0] != "keras":
        return f"its part {class_name} is from {module}, not from Keras"
    return f"its part {module}.{class_name} is none of the plain layers that are allowed"
