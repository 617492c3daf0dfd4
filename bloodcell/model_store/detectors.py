"""Folders of detectors: what each says of itself. A detector finds cells and names no class of white cell."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.core.installation import FILES_DIR
from bloodcell.core.settings import Settings
from bloodcell.model_store.description import parse_json_object
from bloodcell.model_store.folder import METRICS_FILE, SPEC_FILE

DETECTOR_KIND: Final = "detector"
DETECTOR_FILE: Final = "detector.onnx"
DETECTOR_KERAS_FILE: Final = "detector.keras"
# The network: its outputs in order, pixels of its input per place of its maps, and what both sides of the input must be
# a multiple of.
CENTRES, SIDES = "centres", "sides"
STRIDE: Final = 4
MAX_LOG_SIDE: Final = 5.0  # of a distance that it gives, in units of the stride
INPUT_MULTIPLE: Final = 16
SHIPPED_DETECTOR: Final = FILES_DIR / "models" / "detector"


@dataclass(frozen=True)
class DetectorModel:
    """One trained detector.

    Attributes
    ----------
    folder : Path
    title : str
        What to show.
    class_names : tuple of str
        In the order of its maps.
    red_cell_px : float
        Diameter of red cells at its scale.
    thresholds : ndarray of float64, shape (n_classes,)
        Lowest score of each class, chosen on held-out fields.
    exclusive : tuple of int
        Classes of which a cell can be only one.
    metrics : dict
        Contents of metrics.json.
    """

    folder: Path
    title: str
    class_names: tuple[str, ...]
    red_cell_px: float
    thresholds: npt.NDArray[np.float64]
    exclusive: tuple[int, ...]
    metrics: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def network_file(self) -> Path:
        """The network in ONNX."""
        return self.folder / DETECTOR_FILE


def find_detector(name_or_folder: str, settings: Settings) -> DetectorModel | None:
    """Return the detector in a folder, or of that name among the shipped and trained ones; None where it is no detector."""
    folders = (Path(name_or_folder), settings.shipped_models_dir / name_or_folder, settings.runs_dir / name_or_folder)
    for folder in folders:
        if (folder / DETECTOR_FILE).is_file():
            return read_detector_model(folder)
    return None


def read_detector_model(folder: Path) -> DetectorModel:
    """Describe the detector in a folder; ModelError where it holds none, or a file is missing or makes no sense."""
    for name in (DETECTOR_FILE, SPEC_FILE, METRICS_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"The detector {folder.name} lacks {name}.")
    description, metrics = (
        parse_json_object((folder / name).read_bytes(), name, folder.name) for name in (SPEC_FILE, METRICS_FILE)
    )
    if description.get("kind") != DETECTOR_KIND:
        raise ModelError(f"The folder {folder.name} does not hold a detector. Received: {description.get('kind')!r}.")
    try:
        class_names = tuple(str(name) for name in description["class_names"])
        model = DetectorModel(
            folder=folder,
            title=str(description.get("title") or folder.name),
            class_names=class_names,
            red_cell_px=float(description["red_cell_px"]),
            thresholds=np.array([description["thresholds"][name] for name in class_names], np.float64),
            exclusive=tuple(class_names.index(name) for name in description["exclusive"]),
            metrics=metrics,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The description of the detector {folder.name} cannot be read: {error}.") from error
    if not 0 < model.red_cell_px < math.inf or not ((model.thresholds > 0) & (model.thresholds < 1)).all():
        raise ModelError(f"The description of the detector {folder.name} has values out of range.")
    return model
