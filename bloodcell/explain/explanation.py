"""What explains a prediction for one cell, or for the cells of a class: maps and crops, kept in a folder."""

import hashlib
import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ExplainError, StoreError
from bloodcell.core.io import write_atomic, write_json

MAPS_FILE: Final = "maps.npz"
EXPLANATION_FILE: Final = "explain.json"
CROPS_FILE: Final = "crops.npz"
OCCLUSION: Final = "occlusion"
GRADCAM: Final = "gradcam"
LAYERS: Final = "layers"
METHODS: Final = (OCCLUSION, GRADCAM, LAYERS)
CONVOLUTION: Final = "convolution"
POOLING: Final = "pooling"
# Said where a network cannot be looked into.
USE_OCCLUSION: Final = "Use an occlusion map instead."
NOT_A_MEDICAL_REASON: Final = "This shows what the network relied on, not a medical reason."
OCCLUSION_UNIT: Final = "drop in probability where covered"
GRADCAM_UNIT: Final = "evidence for the class (largest = 1)"


@dataclass(frozen=True)
class LayerMaps:
    """The most active channels of one layer.

    Attributes
    ----------
    name : str
        Name of the layer.
    kind : {"convolution", "pooling"}
        Kind of the layer.
    height_px, width_px, n_channels : int
        Size of its whole output.
    channels : tuple of int
        Numbers of the K channels that are here, the most active first.
    maps : ndarray of float, shape (K, h, w)
        From 0 for the lowest value among these channels to 1 for the highest; large maps are made smaller.
    """

    name: str
    kind: str
    height_px: int
    width_px: int
    n_channels: int
    channels: tuple[int, ...]
    maps: npt.NDArray[np.floating[Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return all but the maps, as JSON has it."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "maps"}

    @property
    def description(self) -> str:
        """What it is, for people.

        Examples
        --------
        >>> LayerMaps("conv", "convolution", 32, 32, 24, (3,), np.zeros((1, 32, 32))).description
        'convolution, 24 channels of 32 x 32'
        """
        return f"{self.kind}, {self.n_channels} channels of {self.height_px} x {self.width_px}"


@dataclass(frozen=True)
class Explanation:
    """Where a network looked: maps over the crop, one for each class.

    Attributes
    ----------
    class_names : tuple of str
        In the model's order.
    crop : ndarray of uint8, shape (H, W, 3)
        Input of the network; of several cells their mean.
    n_cells : int
        Number of cells in that mean.
    of_class : str
        The class that the cells belong to; "" for one cell.
    occlusion : ndarray of float32, shape (C, H, W), or None
        Drop in probability of each class (`explain.occlusion`); None if it was not made.
    gradcam : ndarray of float32, shape (C, H, W), or None
        From 0 to 1 (`explain.network.gradcam`), 0 everywhere without evidence for a class; None if it was not made.
    gradcam_layer : str
        The layer that Grad-CAM was made at.
    gradcam_map_size : tuple of int
        Height and width of the maps of that layer.
    layers : tuple of LayerMaps
        From the input on.
    """

    class_names: tuple[str, ...]
    crop: npt.NDArray[np.uint8]
    n_cells: int = 1
    of_class: str = ""
    occlusion: npt.NDArray[np.float32] | None = None
    gradcam: npt.NDArray[np.float32] | None = None
    gradcam_layer: str = ""
    gradcam_map_size: tuple[int, int] = (0, 0)
    layers: tuple[LayerMaps, ...] = ()

    def save(self, folder: Path) -> None:
        """Write maps.npz and then explain.json, each whole: where the second is, all is.

        Raises
        ------
        StoreError
            If the disk is full or cannot be written to.
        """
        arrays: dict[str, npt.NDArray[Any]] = {"crop": self.crop}
        arrays |= {name: array for name in (OCCLUSION, GRADCAM) if (array := getattr(self, name)) is not None}
        arrays |= {_layer_key(number): layer.maps.astype(np.float16) for number, layer in enumerate(self.layers)}
        document: dict[str, Any] = {
            "class_names": list(self.class_names),
            "n_cells": self.n_cells,
            "of_class": self.of_class,
            "gradcam_layer": self.gradcam_layer,
            "gradcam_places": list(self.gradcam_map_size),
            "layers": [layer.to_dict() for layer in self.layers],
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / MAPS_FILE, _pack_arrays(arrays))
            write_json(folder / EXPLANATION_FILE, document)
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
                LayerMaps(
                    **layer | {"channels": tuple(layer["channels"])},
                    maps=arrays[_layer_key(number)].astype(np.float32),
                )
                for number, layer in enumerate(document["layers"])
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
        raise ExplainError(f"The maps in {folder} are damaged. Create them again.") from error


def hash_crops(crops: npt.NDArray[np.uint8]) -> str:
    """Hash crops, uint8 (N, H, W, 3), with their shape: SHA-256 in hexadecimal."""
    return hashlib.sha256(f"{crops.shape}".encode() + np.ascontiguousarray(crops).tobytes()).hexdigest()


def store_crops(folder: Path, crops: npt.NDArray[np.uint8]) -> None:
    """Keep crops in an explanation's folder until a worker explains them.

    Raises
    ------
    StoreError
        If the disk is full or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / CROPS_FILE, _pack_arrays({"crops": crops}))
    except OSError as error:
        raise StoreError(f"The cells cannot be stored in {folder}: {error.strerror}.") from error


def read_crops(folder: Path, sha256: str) -> npt.NDArray[np.uint8]:
    """Read stored crops, uint8 (N, H, W, 3); ExplainError if they are missing, damaged, or do not have this hash."""
    try:
        with np.load(folder / CROPS_FILE, allow_pickle=False) as arrays:
            crops: npt.NDArray[np.uint8] = arrays["crops"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ExplainError(
            f"The cells to explain in {folder} are missing or damaged. Start the explanation again."
        ) from error
    if hash_crops(crops) != sha256:
        raise ExplainError(f"The cells in {folder} are not those of this explanation. Start the explanation again.")
    return crops


def _pack_arrays(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _layer_key(number: int) -> str:
    return f"layer{number}"
