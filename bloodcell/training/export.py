"""Export a trained network to ONNX and check it against Keras on real crops before it is accepted."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime

from bloodcell.errors import ModelError

OUTPUTS = ("logits", "known", "features")
LARGEST_DIFFERENCE = 1e-3


def export_onnx(model: keras.Model, path: Path, crops: np.ndarray) -> None:
    """Write `model` as ONNX with the outputs logits, known and features.

    Parameters
    ----------
    model : keras.Model with outputs "logits" and "known" and a layer "features"
    path : file to write
    crops : uint8 array of shape (N, S, S, 3), real crops to compare on

    Raises
    ------
    ModelError
        If ONNX Runtime answers otherwise than Keras; the file is then removed.
    """
    outputs = {**model.output, "features": model.get_layer("features").output}
    whole = keras.Model(model.input, [outputs[name] for name in OUTPUTS])
    batch = crops.astype(np.float32)
    expected = [np.asarray(output) for output in whole(batch, training=False)]
    whole.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answered = session.run(None, {session.get_inputs()[0].name: batch})
    for name, ours, theirs in zip(OUTPUTS, expected, answered, strict=True):
        difference = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")
        if not difference <= LARGEST_DIFFERENCE:
            path.unlink()
            raise ModelError(f"The exported network differs from Keras by {difference:.2g} in {name!r}: not accepted.")
