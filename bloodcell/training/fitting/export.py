"""Export a trained network to ONNX and check it against Keras on real crops before it is accepted."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime

from bloodcell.core.errors import ModelError
from bloodcell.inference.probabilities import softmax
from bloodcell.model_store.io_spec import FEATURES, IN_DISTRIBUTION, LOGITS

MASK = "mask"
MAX_DIFFERENCE = 1e-3


def export_onnx(model: keras.Model, path: Path, crops: np.ndarray) -> tuple[str, ...]:
    """Write `model` as ONNX with the outputs logits, known where it has that head, and features.

    Parameters
    ----------
    model : keras.Model with an output "logits", maybe one "known", and a layer "features"
    path : file to write
    crops : uint8 array of shape (N, H, W, 3), real crops to compare on

    Returns
    -------
    tuple of str
        The outputs in their order, as spec.json keeps them ("outputs").

    Raises
    ------
    ModelError
        If ONNX Runtime answers otherwise than Keras; the file is then removed.
    """
    outputs = {**model.output, FEATURES: model.get_layer(FEATURES).output}
    names = tuple(name for name in (LOGITS, IN_DISTRIBUTION, FEATURES) if name in outputs)
    _export(keras.Model(model.input, [outputs[name] for name in names]), names, path, crops)
    return names


def export_logits_onnx(model: keras.Model, path: Path, crops: np.ndarray) -> float:
    """Write the output "logits" of `model` alone as ONNX; parameters and errors as `export_onnx`.

    What is compared are the probabilities: logits of a network from elsewhere may be of any size.

    Returns
    -------
    float
        The largest difference of a probability.
    """
    return _export(keras.Model(model.input, [model.output[LOGITS]]), (LOGITS,), path, crops, softmax)


def export_mask_onnx(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """Write a network of `networks.builders.unet` as ONNX; parameters and errors as `export_onnx`."""
    _export(keras.Model(model.input, [model.output[MASK]]), (MASK,), path, images)


def _export(
    whole: keras.Model,
    names: tuple[str, ...],
    path: Path,
    crops: np.ndarray,
    transform: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> float:
    largest = 0.0
    batch = crops.astype(np.float32)
    predicted = whole(batch, training=False)
    expected = [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(predicted)]
    whole.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: batch})
    for name, ours, theirs in zip(names, expected, outputs, strict=True):
        is_alike = ours.shape == theirs.shape
        difference = float(np.abs(transform(ours) - transform(theirs)).max()) if is_alike else float("inf")
        if not difference <= MAX_DIFFERENCE:
            path.unlink()
            raise ModelError(f"The exported network differs from Keras by {difference:.2g} in {name!r}: not accepted.")
        largest = max(largest, difference)
    return largest
