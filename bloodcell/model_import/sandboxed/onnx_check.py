"""Inspecting an ONNX file from elsewhere before it is run: plain calculations only, all numbers in the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx

from bloodcell.core.errors import ModelError

_ALLOWED_OPERATORS: Final = """
Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose
CumSum DepthToSpace Div Dropout Elu Equal Erf Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalMaxPool
Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization
LeakyRelu Less LessOrEqual Log LogSoftmax LRN MatMul Max MaxPool Mean Min Mish Mul Neg Not Or PRelu Pad Pow Reciprocal
ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid
Sign Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile Transpose
Unsqueeze Upsample Where
"""
ALLOWED_OPERATORS: Final = frozenset(_ALLOWED_OPERATORS.split())
_DOMAINS: Final = ("", "ai.onnx")


def check_onnx(path: Path) -> None:
    """Inspect the network in an ONNX file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ModelError
        If it is damaged, keeps numbers in another file, or holds anything but plain calculations: other operators,
        functions, networks in loops or branches.
    """
    try:
        network = onnx.load(path, load_external_data=False)
        _check_operators(network)
        onnx.checker.check_model(network)
    except ModelError as error:
        raise ModelError(f"{path.name} is refused: {error}.") from error
    except Exception as error:  # protobuf's and onnx's own classes share no parent
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"{path.name} is damaged: {reason[:200]}.") from error


def _check_operators(network: onnx.ModelProto) -> None:
    if network.functions or network.training_info:
        raise ModelError("it holds functions of its own")
    for node in network.graph.node:
        if node.domain not in _DOMAINS or node.op_type not in ALLOWED_OPERATORS:
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise ModelError(f"its operator {name[:80]} is not allowed")
        if any(attribute.graphs or attribute.HasField("g") for attribute in node.attribute):
            raise ModelError(f"its operator {node.op_type} holds a network of its own")
    for tensor in _list_tensors(network.graph):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError("it keeps numbers in another file")


def _list_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            sparse = attribute.sparse_tensor
            yield from (attribute.t, *attribute.tensors, sparse.values, sparse.indices)
