"""Folders of taught U-Nets: which there are, and what each says of itself. They give masks, so they are no classifiers."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.io_spec import MASK_FILE

MASKS_KIND = "masks"
METRICS_FILE, EXAMPLES_FILE = "metrics.json", "examples.npz"


@dataclass(frozen=True)
class MaskModel:
    """One taught U-Net.

    name : the folder's name
    height_px, width_px : of what the network takes
    figures : held_back of metrics.json (`training.masks.mask_metrics`)
    """

    name: str
    folder: Path
    title: str
    height_px: int
    width_px: int
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Examples:
    """Held-back pictures with the mask that was wanted and the one that the network gave.

    rgb : uint8 (N, H, W, 3)
    wanted, given : bool (N, H, W)
    dice : float array (N,)
    file : list of N names
    """

    rgb: np.ndarray
    wanted: np.ndarray
    given: np.ndarray
    dice: np.ndarray
    file: list[str]

    def save(self, path: Path) -> None:
        """Write them to a file."""
        names = np.array(self.file, dtype=str)
        np.savez_compressed(path, rgb=self.rgb, wanted=self.wanted, given=self.given, dice=self.dice, names=names)

    @classmethod
    def load(cls, path: Path) -> "Examples":
        """Read them; ModelError where the file is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                rgb, wanted, given, dice = (stored[name] for name in ("rgb", "wanted", "given", "dice"))
                return cls(rgb, wanted, given, dice, stored["names"].tolist())
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ModelError(f"The example pictures {path.name} cannot be read.") from error


def list_mask_models(settings: Settings) -> list[MaskModel]:
    """Every U-Net of the workspace that can be used, by name; a damaged one is left out (`read_mask_model` tells why)."""
    found = []
    for folder in sorted(settings.runs_dir.iterdir()) if settings.runs_dir.is_dir() else []:
        with suppress(ModelError):
            found.append(read_mask_model(folder))
    return found


def read_mask_model(folder: Path) -> MaskModel:
    """Describe one folder; ModelError where it is none of a U-Net, or a file is missing or makes no sense."""
    for name in (MASK_FILE, "spec.json", METRICS_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"The folder {folder.name} of a U-Net lacks {name}.")
    try:
        description, metrics = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in ("spec.json", METRICS_FILE)
        )
        if description["kind"] != MASKS_KIND:
            raise ModelError(f"The folder {folder.name} holds no U-Net but: {description['kind']}.")
        return MaskModel(
            name=folder.name,
            folder=folder,
            title=str(description.get("title") or folder.name),
            height_px=int(description["height_px"]),
            width_px=int(description["width_px"]),
            metrics=dict(metrics["held_back"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"What the folder {folder.name} says of its U-Net cannot be read: {error}.") from error
