"""A model of the library, ready to classify crops; ONNX Runtime, no Keras."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.inference.framing import Framing
from bloodcell.inference.onnx_session import open_session
from bloodcell.inference.ood import load_feature_statistics
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.io_spec import ModelIOSpec

BATCH_SIZE: Final = 64


@dataclass(frozen=True)
class Scores:
    """What a model says of N crops.

    Attributes
    ----------
    probs : ndarray of float32, shape (N, C)
        Calibrated probability of each class; rows sum to 1.
    in_distribution : ndarray of float32, shape (N,), or None
        Probability that the crop shows a cell of one of the classes; None where the network has no OOD head.
    distance : ndarray of float32, shape (N,), or None
        Mahalanobis score, about 1 for a cell like those the model was trained on; None of a model without thresholds
        (`ModelIOSpec.has_thresholds`).
    status : ndarray of str, shape (N,)
        Each one of `labels.CELL_STATUSES`.
    """

    probs: npt.NDArray[np.float32]
    in_distribution: npt.NDArray[np.float32] | None
    distance: npt.NDArray[np.float32] | None
    status: npt.NDArray[np.str_]


class Engine:
    """Classifies crops, or whole images, with the model in a folder.

    Parameters
    ----------
    folder : Path
        A model folder.
    n_threads : int, default 1
        Threads for one batch; the pipeline runs several batches side by side instead.

    Attributes
    ----------
    model_name : str
        Name of the folder.
    model_sha256 : str
        Hash of all that decides the predictions.
    class_names : tuple of str
        In the order of the network's outputs.
    io_spec : ModelIOSpec
        Input and outputs of the network.
    framing : Framing
        Makes the network's input.
    temperature : float
        Divides the logits before the softmax; 1 of a model without thresholds.
    thresholds : Thresholds or None
        None where none were measured.

    Raises
    ------
    ModelError
        If a file is missing or damaged, the thresholds were never set, or the network does not fit spec.json.
    """

    def __init__(self, folder: Path, n_threads: int = 1) -> None:
        model_folder = ModelFolder(folder)
        description = model_folder.read_description()
        self.model_name = folder.name
        self.model_sha256 = model_folder.compute_sha256()
        self.class_names = description.class_names
        self.io_spec = description.io_spec
        self.framing = Framing(self.io_spec, model_folder.mask_file)
        self.temperature, self.thresholds = _read_calibration(description.calibration, self.io_spec, folder.name)
        self._feature_statistics = (
            load_feature_statistics(model_folder.feature_statistics_file) if self.io_spec.has_thresholds else None
        )
        self._session = open_session(model_folder.network_file, n_threads)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._check_network()

    def _check_network(self) -> None:
        """Raise ModelError unless the network has the input and the outputs that spec.json names."""
        outputs, io_spec = self._session.get_outputs(), self.io_spec
        if len(outputs) != len(io_spec.outputs):
            raise ModelError(
                f"The network of {self.model_name} has {len(outputs)} outputs, but spec.json names {io_spec.outputs}."
            )
        n_classes = outputs[0].shape[-1]
        if n_classes != len(self.class_names):
            raise ModelError(
                f"The network of {self.model_name} has {n_classes} classes, but spec.json names {len(self.class_names)}."
            )
        statistics = self._feature_statistics
        if statistics is not None and outputs[-1].shape[-1] != statistics.n_features:
            raise ModelError(
                f"The network of {self.model_name} gives {outputs[-1].shape[-1]} features, but its feature statistics hold "
                f"{statistics.n_features}."
            )
        size, shape = (io_spec.height_px, io_spec.width_px, 3), self._session.get_inputs()[0].shape
        if tuple(shape[1:]) != size:
            raise ModelError(
                f"The input of the network of {self.model_name} is {shape}, but spec.json names "
                f"(N, {size[0]}, {size[1]}, 3)."
            )

    def classify(self, crops: npt.NDArray[np.uint8]) -> Scores:
        """Score inputs of the network: cells cut out, or whole images resized, as `io_spec` says.

        Parameters
        ----------
        crops : ndarray of uint8, shape (N, height_px, width_px, 3)
            As `Framing.make_input` makes them; N may be 0.

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
        statistics = self._feature_statistics
        logits = np.zeros((len(crops), len(self.class_names)), np.float32)
        ood_logits = np.zeros(len(crops), np.float32)
        features = np.zeros((len(crops), 0 if statistics is None else statistics.n_features), np.float32)
        for start in range(0, len(crops), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            outputs = self._session.run(self._outputs, {self._input: crops[batch].astype(np.float32)})
            logits[batch] = outputs[0]
            if statistics is not None:
                features[batch] = outputs[-1]
            if self.io_spec.has_ood_head:
                ood_logits[batch] = outputs[1][:, 0]
        probs = softmax(logits, self.temperature)
        in_distribution = sigmoid(ood_logits) if self.io_spec.has_ood_head else None
        distance = None if statistics is None else statistics.distance(features)
        return Scores(
            probs, in_distribution, distance, assign_statuses(probs, in_distribution, distance, self.thresholds)
        )


def _read_calibration(calibration: Any, io_spec: ModelIOSpec, name: str) -> tuple[float, Thresholds | None]:
    """Return the temperature and thresholds in spec.json of the model `name`; 1 and None of one without thresholds."""
    if not io_spec.has_thresholds:
        if calibration:
            raise ModelError(f"The model {name} has thresholds, but its network has no output to compare them with.")
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
        raise ModelError(f"The calibration of the model {name} must be finite, and its temperature above 0.")
    thresholds = Thresholds(numbers["min_confidence"], numbers.get("min_known"), max_distance=numbers["max_distance"])
    return numbers["temperature"], thresholds
