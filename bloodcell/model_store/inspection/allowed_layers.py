"""What the config.json of a .keras file may hold: layers that only calculate, written out one by one.

All else is refused, whatever it is: Lambda and TFSMLayer run code of the file's own, text layers read files.
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
# Values that Keras writes as objects; `keras_archive` checks their `config`.
VALUES: Final = frozenset({"__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__"})

REFUSAL_REASONS: Final = {
    "Lambda": "it holds Python code that would be run here",
    "__lambda__": "it holds Python code that would be run here",
    "function": "a function in it would be called here",
    "TFSMLayer": "it runs a TensorFlow program from another file",
    "TorchModuleWrapper": "it holds pickled code that would be run here",
    "JaxLayer": "it holds code that would be run here",
    "FlaxLayer": "it holds code that would be run here",
    "__typespec__": "it refers to a type inside a program",
}


def find_problem(module: object, class_name: object, registered_name: object) -> str:
    """Say why an object of a config.json is refused.

    Parameters
    ----------
    module, class_name, registered_name : object
        As they stand there, of any type.

    Returns
    -------
    str
        The rest of a sentence; "" where the object is allowed.

    Examples
    --------
    >>> find_problem("keras.layers", "Dense", None)
    ''
    >>> find_problem("subprocess", "Popen", None)
    'its part Popen is from subprocess, not from Keras'
    """
    if not isinstance(class_name, str):
        return "it has a layer without a class name"
    if class_name in REFUSAL_REASONS:
        return f"its part {class_name} is not allowed: {REFUSAL_REASONS[class_name]}"
    if class_name in VALUES and module is None and registered_name is None:
        return ""
    if registered_name not in (None, class_name):
        return f"its part {registered_name} is custom code, which is not available here"
    if not isinstance(module, str):
        return f"its part {class_name} does not name its Keras module"
    allowed = LAYERS if module == "keras.layers" else OPERATIONS.get(module) or PARTS.get(module) or frozenset()
    if class_name in allowed or (module, class_name) in MODELS:
        return ""
    if module.split(".")[0] != "keras":
        return f"its part {class_name} is from {module}, not from Keras"
    return f"its part {module}.{class_name} is not among the layers that are allowed"
