"""Opening networks in ONNX."""

from pathlib import Path

import onnxruntime

from bloodcell.core.errors import ModelError


def open_session(path: Path, n_threads: int) -> onnxruntime.InferenceSession:
    """Open the network in a file of a model folder, on the processor; ModelError if it is missing or damaged."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes share no parent
        raise ModelError(f"{path.name} of the model {path.parent.name} is missing or damaged: {error}.") from error
