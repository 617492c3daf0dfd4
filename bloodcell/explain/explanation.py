"""What explains a model's answer to one cell, or to the cells of a class: maps and pictures, kept in a folder."""

import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.errors import ExplainError, StoreError
from bloodcell.core.io import write_atomic

MAPS_FILE, EXPLANATION_FILE = "maps.npz", "explain.json"
OCCLUSION, GRADCAM, LAYERS = "occlusion", "gradcam", "layers"
METHODS = (OCCLUSION, GRADCAM, LAYERS)
CONVOLUTION, POOLING = "convolution", "pooling"
# Why Grad-CAM and pictures of layers cannot be had; what can.
USE_OCCLUSION = "A map by occlusion works for it."
NOT_A_MEDICAL_REASON = "It shows where this network looked, not a medical reason."
OCCLUSION_UNIT, GRADCAM_UNIT = "drop of probability where covered", "speaks for the class (largest = 1)"


@dataclass(frozen=True)
class LayerMaps:
    """What the most active channels of one layer put out.

    name, kind : of the layer; kind is "convolution" or "pooling"
    height_px, width_px, n_channels : of all that it puts out
    channels : numbers of those that are here, the most active first
    maps : float array of shape (K, h, w), 0 for the lowest value among these channels, 1 for the highest; large maps are
        made smaller
    """

    name: str
    kind: str
    height_px: int
    width_px: int
    n_channels: int
    channels: tuple[int, ...]
    maps: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """All but the maps."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "maps"}

    @property
    def words(self) -> str:
        """What it is: ``convolution, 24 channels of 32 x 32``."""
        return f"{self.kind}, {self.n_channels} channels of {self.height_px} x {self.width_px}"


@dataclass(frozen=True)
class Explanation:
    """Where a network looked. Maps lie over the crop, one a class.

    class_names : in the model's order
    crop : uint8 (H, W, 3), what the network was shown; of several cells their mean
    n_cells : how many it is the mean of
    of_class : the class that the cells belong to, "" for one cell
    occlusion : float32 (C, H, W), drop of the probability of each class, see `explain.occlusion`; None if not made
    gradcam : float32 (C, H, W), from 0 to 1, see `explain.network.gradcam`; 0 throughout where nothing speaks for a class
    gradcam_layer, gradcam_places : the layer that it was made at, and rows and columns of its maps
    layers : from the input on
    """

    class_names: tuple[str, ...]
    crop: np.ndarray
    n_cells: int = 1
    of_class: str = ""
    occlusion: np.ndarray | None = None
    gradcam: np.ndarray | None = None
    gradcam_layer: str = ""
    gradcam_places: tuple[int, int] = (0, 0)
    layers: tuple[LayerMaps, ...] = ()

    def save(self, folder: Path) -> None:
        """Write maps.npz and then explain.json, each whole: where the second is, all is.

        Raises
        ------
        StoreError
            If the disk is full or refuses.
        """
        arrays = {"crop": self.crop}
        arrays |= {name: array for name in (OCCLUSION, GRADCAM) if (array := getattr(self, name)) is not None}
        arrays |= {_layer_key(at): layer.maps.astype(np.float16) for at, layer in enumerate(self.layers)}
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        document: dict[str, Any] = {
            "class_names": list(self.class_names),
            "n_cells": self.n_cells,
            "of_class": self.of_class,
            "gradcam_layer": self.gradcam_layer,
            "gradcam_places": list(self.gradcam_places),
            "layers": [one.to_json() for one in self.layers],
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / MAPS_FILE, packed.getvalue())
            write_atomic(folder / EXPLANATION_FILE, (json.dumps(document, indent=2) + "\n").encode())
        except OSError as error:
            raise StoreError(f"The maps cannot be written to {folder}: {error.strerror}.") from error


def read_explanation(folder: Path) -> Explanation | None:
    """Read what `Explanation.save` wrote; None where nothing finished is there, ExplainError where it is damaged."""
    if not (folder / EXPLANATION_FILE).is_file():
        return None
    try:
        document = json.loads((folder / EXPLANATION_FILE).read_text(encoding="utf-8"))
        with np.load(folder / MAPS_FILE, allow_pickle=False) as arrays:
            layers = tuple(
                LayerMaps(**one | {"channels": tuple(one["channels"])}, maps=arrays[_layer_key(at)].astype(np.float32))
                for at, one in enumerate(document["layers"])
            )
            return Explanation(
                tuple(document["class_names"]),
                arrays["crop"],
                document["n_cells"],
                document["of_class"],
                arrays.get(OCCLUSION),
                arrays.get(GRADCAM),
                document["gradcam_layer"],
                tuple(document["gradcam_places"]),
                layers,
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ExplainError(f"The maps in {folder} are damaged: they must be made anew.") from error


def _layer_key(at: int) -> str:
    return f"layer{at}"
