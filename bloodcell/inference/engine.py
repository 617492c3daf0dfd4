"""A model of the shelf, ready to classify crops; ONNX Runtime, no Keras."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bloodcell.core.errors import ModelError
from bloodcell.inference.framing import Framing
from bloodcell.inference.ood import load_feature_statistics
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.model_store.folder import FEATURE_STATISTICS_FILE, model_sha256, read_description
from bloodcell.model_store.io_spec import MASK_FILE, ModelIOSpec, read_io_spec

BATCH_SIZE = 64


@dataclass(frozen=True)
class Scores:
    """What a model says of N crops.

    probs : float32 (N, C), calibrated, rows sum to 1
    known : float32 (N,), probability that the crop shows a cell of one of the classes; None where the network does
        not answer that
    distance : float32 (N,), from the cells the model learned from; about 1 for a typical cell; None of a model that is
        not judged (`ModelIOSpec.has_thresholds`)
    status : str (N,), of `classes.CELL_STATUSES`
    """

    probs: np.ndarray
    known: np.ndarray | None
    distance: np.ndarray | None
    status: np.ndarray


class Engine:
    """Classifies crops, or whole pictures, with the model in `folder`.

    Parameters
    ----------
    folder : Path of a model folder
    n_threads : int, threads of one batch; the pipeline runs several batches side by side instead

    Raises
    ------
    ModelError
        If a file is missing or damaged, the thresholds were never set, or the network's outputs do not fit the
        class names.
    """

    def __init__(self, folder: Path, n_threads: int = 1) -> None:
        description = read_description(folder)
        self.model_name = folder.name
        self.model_sha256 = model_sha256(folder)
        self.class_names: tuple[str, ...] = tuple(description["class_names"])
        self.io_spec = read_io_spec(description, folder.name)
        self.framing = Framing(self.io_spec, folder / MASK_FILE)
        self.temperature, self.thresholds = _read_calibration(description.get("calibration"), self.io_spec, folder.name)
        self._feature_statistics = (
            load_feature_statistics(folder / FEATURE_STATISTICS_FILE) if self.io_spec.has_thresholds else None
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own classes share no parent
            raise ModelError(f"model.onnx of the model {folder.name} is damaged: {error}.") from error
        self._input = self._session.get_inputs()[0].name
        outputs = self._session.get_outputs()
        if len(outputs) != len(self.io_spec.outputs):
            raise ModelError(
                f"The network of {folder.name} has {len(outputs)} outputs, spec.json names {self.io_spec.outputs}."
            )
        self._outputs = [output.name for output in outputs]
        n_classes = outputs[0].shape[-1]
        if n_classes != len(self.class_names):
            named = len(self.class_names)
            raise ModelError(f"The network of {folder.name} tells {n_classes} classes apart, spec.json names {named}.")
        if self._feature_statistics is not None and outputs[-1].shape[-1] != self._feature_statistics.means.shape[1]:
            given, there = outputs[-1].shape[-1], self._feature_statistics.means.shape[1]
            raise ModelError(f"The network of {folder.name} gives {given} features, typical.npz holds {there}.")
        size = (self.io_spec.height_px, self.io_spec.width_px, 3)
        if tuple(self._session.get_inputs()[0].shape[1:]) != size:
            shape = self._session.get_inputs()[0].shape
            raise ModelError(
                f"The network of {folder.name} takes {shape}, spec.json names (N, {size[0]}, {size[1]}, 3)."
            )

    def classify(self, crops: np.ndarray) -> Scores:
        """Score what the network takes: cells cut out, or whole pictures resized (`imaging.crop`), as `io_spec` says.

        Parameters
        ----------
        crops : uint8 array of shape (N, height_px, width_px, 3); N may be 0

        Raises
        ------
        ModelError
            If the crops have another shape or type.
        """
        height_px, width_px = self.io_spec.height_px, self.io_spec.width_px
        if crops.dtype != np.uint8 or crops.shape[1:] != (height_px, width_px, 3):
            raise ModelError(
                f"Crops must be uint8 of shape (N, {height_px}, {width_px}, 3). Received: {crops.dtype} {crops.shape}."
            )
        logits = np.zeros((len(crops), len(self.class_names)), np.float32)
        known_logits = np.zeros(len(crops), np.float32)
        features = (
            None
            if self._feature_statistics is None
            else np.zeros((len(crops), self._feature_statistics.means.shape[1]), np.float32)
        )
        for start in range(0, len(crops), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            predicted = self._session.run(self._outputs, {self._input: crops[part].astype(np.float32)})
            logits[part] = predicted[0]
            if features is not None:
                features[part] = predicted[-1]
            if self.io_spec.has_ood_head:
                known_logits[part] = predicted[1][:, 0]
        probs = softmax(logits, self.temperature)
        known = sigmoid(known_logits) if self.io_spec.has_ood_head else None
        distance = (
            None
            if self._feature_statistics is None or features is None
            else self._feature_statistics.distance(features)
        )
        return Scores(probs, known, distance, assign_statuses(probs, known, distance, self.thresholds))


def _read_calibration(calibration: Any, io_spec: ModelIOSpec, name: str) -> tuple[float, Thresholds | None]:
    """The temperature and thresholds that spec.json of the model `name` holds; 1 and None of a model that is not judged."""
    if not io_spec.has_thresholds:
        if calibration:
            raise ModelError(
                f"The model {name} has thresholds, but its network gives nothing that they could judge by."
            )
        return 1.0, None
    if not calibration:
        raise ModelError(f"The model {name} has no calibration: it was trained without a validation fold.")
    if not isinstance(calibration, dict):
        raise ModelError(f"The calibration of the model {name} must be numbers by name. Received: {calibration}.")
    needed = {field.name for field in fields(Thresholds)} - (set() if io_spec.has_ood_head else {"min_known"})
    missing = sorted({"temperature", *needed} - calibration.keys())
    if missing:
        raise ModelError(f"The calibration of the model {name} lacks {', '.join(missing)}.")
    try:
        numbers = {key: float(calibration[key]) for key in ("temperature", *needed)}
    except (TypeError, ValueError) as error:
        raise ModelError(f"The calibration of the model {name} must be numbers. Received: {calibration}.") from error
    if not all(map(math.isfinite, numbers.values())) or numbers["temperature"] <= 0:
        raise ModelError(f"The calibration of the model {name} must be finite, its temperature above 0.")
    thresholds = Thresholds(numbers["min_confidence"], numbers.get("min_known"), max_distance=numbers["max_distance"])
    return numbers["temperature"], thresholds
