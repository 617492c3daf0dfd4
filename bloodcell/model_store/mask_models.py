"""Folders of trained U-Nets: which there are, and what each says of itself. They give masks, so they are no classifiers."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.description import parse_json_object
from bloodcell.model_store.folder import MASK_FILE, METRICS_FILE, SPEC_FILE

MASKS_KIND: Final = "masks"
MASK_KERAS_FILE: Final = "mask.keras"
EXAMPLES_FILE: Final = "examples.npz"


@dataclass(frozen=True)
class MaskModel:
    """One trained U-Net.

    Attributes
    ----------
    name : str
        Name of its folder.
    folder : Path
        Its folder.
    title : str
        What to show.
    height_px, width_px : int
        Size of the network's input.
    metrics : dict
        Metrics on held-out images (`training.masks.mask_metrics`).
    """

    name: str
    folder: Path
    title: str
    height_px: int
    width_px: int
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Examples:
    """Held-out images, each with its true mask and the one that the network predicted.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (N, H, W, 3)
    true_mask, predicted_mask : ndarray of bool, shape (N, H, W)
    dice : ndarray of float, shape (N,)
    file : list of str
        Names of the N images.
    """

    rgb: npt.NDArray[np.uint8]
    true_mask: npt.NDArray[np.bool_]
    predicted_mask: npt.NDArray[np.bool_]
    dice: npt.NDArray[np.floating[Any]]
    file: list[str]

    def save(self, path: Path) -> None:
        """Write to a .npz file, under the keys that Bloodcell 0.1 gave its arrays."""
        np.savez_compressed(
            path,
            rgb=self.rgb,
            wanted=self.true_mask,
            given=self.predicted_mask,
            dice=self.dice,
            names=np.array(self.file, dtype=str),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; ModelError where the file is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                rgb, true_mask, predicted_mask, dice = (stored[name] for name in ("rgb", "wanted", "given", "dice"))
                return cls(rgb, true_mask, predicted_mask, dice, stored["names"].tolist())
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ModelError(f"The example images {path.name} cannot be read.") from error


def list_mask_models(settings: Settings) -> list[MaskModel]:
    """List the usable U-Nets of the workspace by name; a damaged one is left out (`read_mask_model` tells why)."""
    models = []
    for folder in sorted(settings.runs_dir.iterdir()) if settings.runs_dir.is_dir() else []:
        with suppress(ModelError):
            models.append(read_mask_model(folder))
    return models


def read_mask_model(folder: Path) -> MaskModel:
    """Describe the U-Net in a folder; ModelError where it holds none, or a file is missing or makes no sense."""
    for name in (MASK_FILE, SPEC_FILE, METRICS_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"The U-Net folder {folder.name} lacks {name}.")
    description, metrics = (
        parse_json_object((folder / name).read_bytes(), name, folder.name) for name in (SPEC_FILE, METRICS_FILE)
    )
    if description.get("kind") != MASKS_KIND:
        raise ModelError(f"The folder {folder.name} does not hold a U-Net. Received: {description.get('kind')!r}.")
    try:
        return MaskModel(
            name=folder.name,
            folder=folder,
            title=str(description.get("title") or folder.name),
            height_px=int(description["height_px"]),
            width_px=int(description["width_px"]),
            metrics=dict(metrics["held_back"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The description of the U-Net in {folder.name} cannot be read: {error}.") from error
