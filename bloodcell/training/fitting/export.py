"""Export a trained network to ONNX, accepted only if it agrees with Keras on real crops."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime

from bloodcell.core.errors import ModelError
from bloodcell.inference.probabilities import softmax
from bloodcell.model_store.detectors import CENTRES, SIDES
from bloodcell.model_store.io_spec import FEATURES, IN_DISTRIBUTION, LOGITS

MASK = "mask"
MAX_DIFFERENCE = 1e-3


def export_onnx(model: keras.Model, path: Path, crops: np.ndarray) -> tuple[str, ...]:
    """Export a classifier with its logits, its out-of-distribution head if it has one, and its features.

    Parameters
    ----------
    model : keras.Model
        A network with an output "logits", optionally one "known", and a layer "features".
    path : Path
        File to write.
    crops : ndarray of uint8, shape (N, H, W, 3)
        Real crops to compare on.

    Returns
    -------
    tuple of str
        The outputs in order, as "outputs" of spec.json.

    Raises
    ------
    ModelError
        If ONNX Runtime and Keras differ; the file is then deleted.
    """
    outputs = {**model.output, FEATURES: model.get_layer(FEATURES).output}
    names = tuple(name for name in (LOGITS, IN_DISTRIBUTION, FEATURES) if name in outputs)
    _export(keras.Model(model.input, [outputs[name] for name in names]), names, path, crops)
    return names


def export_logits_onnx(model: keras.Model, path: Path, crops: np.ndarray) -> float:
    """Export only the output "logits" of a network; parameters and errors as `export_onnx`.

    Probabilities are compared, as the logits of an imported network may be of any size.

    Returns
    -------
    float
        The largest difference of a probability.
    """
    return _export(keras.Model(model.input, [model.output[LOGITS]]), (LOGITS,), path, crops, softmax)


def export_mask_onnx(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """Export a network of `networks.builders.unet`; parameters and errors as `export_onnx`."""
    _export(keras.Model(model.input, [model.output[MASK]]), (MASK,), path, images)


def export_detector_onnx(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """Export a network of `networks.builders.detector`, for images of any size; parameters and errors as `export_onnx`."""
    _export(keras.Model(model.input, [model.output[CENTRES], model.output[SIDES]]), (CENTRES, SIDES), path, images)


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
    expected = [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(predicted)]
    whole.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: batch})
    for name, of_keras, of_onnx in zip(names, expected, outputs, strict=True):
        has_shape = of_keras.shape == of_onnx.shape
        difference = float(np.abs(transform(of_keras) - transform(of_onnx)).max()) if has_shape else float("inf")
        if not difference <= MAX_DIFFERENCE:
            path.unlink()
            raise ModelError(f"The exported network differs from Keras by {difference:.2g} in {name!r}: not accepted.")
        largest = max(largest, difference)
    return largest
