"""How a detector of white cells, red cells and platelets is trained."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from bloodcell.core.labels import DETECTED
from bloodcell.core.spec import Spec, require, require_range, require_unique
from bloodcell.model_store.detectors import INPUT_MULTIPLE


@dataclass(frozen=True)
class BoxSourceSpec(Spec):
    """One set of images with boxes, inside the folder given as --data.

    Attributes
    ----------
    name : str
        Short name for logs and cards.
    path : str
        Folder or zip, relative to the data folder; its annotations are recognised (`datasets.boxes.read_boxes`).
    licence : str
        Of the images, for the card.
    names : tuple of str, default ()
        Names of the classes 0, 1, ... of YOLO, where no file says them.
    labels : tuple of (str, str), default ()
        Label in the annotations and what it means, of `DETECTED`; other labels are left out. () where the annotations
        already say WBC, RBC and PLATELET.
    list_file : str, default ""
        File inside `path` with the stems of the images to use, a line each; "" for all.
    folder : str, default ""
        Use only images below this folder of `path`.
    weight : float, default 1.0
        Share of the tiles that are cut from this source, relative to the others; above 0.
    """

    name: str
    path: str
    licence: str
    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    list_file: str = ""
    folder: str = ""
    weight: float = 1.0

    NOUN: ClassVar[str] = "source of boxes"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, f"`weight` must be above 0. Received: {self.weight}.")
        meanings = {meaning for _, meaning in self.labels}
        require(meanings <= set(DETECTED), f"`labels` must mean one of {DETECTED}. Received: {sorted(meanings)}.")


@dataclass(frozen=True)
class DetectorSpec(Spec):
    """One training run of a detector.

    Attributes
    ----------
    name : str
        Name of the detector.
    box_sources : tuple of BoxSourceSpec
        Images with boxes; a source cell is a field, and a field is on one side of the split.
    title : str, default ""
        Title for people; "" for the name.
    red_cell_px : int, default 36
        Diameter that red cells have at the scale of the detector.
    tile_px : int, default 192
        Side of the tiles that it is trained on; a multiple of 16.
    zoom : float, default 0.4
        Largest change of size of a tile (log scale, uniform).
    stain : float, default 0.35
        Strength of the variation of stain and lamp; 0 for none.
    weights : {"imagenet", "none"}, default "imagenet"
        Initial weights of the backbone.
    epochs : int, default 30
    tiles_per_epoch : int, default 1600
    batch_size : int, default 16
    learning_rate : float, default 2e-3
        Of the first steps after a short warm-up; a cosine schedule brings it down to 0.
    held_share : float, default 0.1
        Share of the fields that is held out and measured on.
    seed : int, default 0

    Raises
    ------
    SpecError
        If a setting is outside its range.
    """

    name: str
    box_sources: tuple[BoxSourceSpec, ...]
    title: str = ""
    red_cell_px: int = 36
    tile_px: int = 192
    zoom: float = 0.4
    stain: float = 0.35
    weights: Literal["imagenet", "none"] = "imagenet"
    epochs: int = 30
    tiles_per_epoch: int = 1600
    batch_size: int = 16
    learning_rate: float = 2e-3
    held_share: float = 0.1
    seed: int = 0

    NOUN: ClassVar[str] = "spec of a detector"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.name), "A name for the detector is needed.")
        require(bool(self.box_sources), "A detector needs at least one source of boxes.")
        require_unique("Names of sources", tuple(source.name for source in self.box_sources))
        is_right = 64 <= self.tile_px <= 1024 and self.tile_px % INPUT_MULTIPLE == 0
        require(
            is_right, f"`tile_px` must be a multiple of {INPUT_MULTIPLE} from 64 to 1024. Received: {self.tile_px}."
        )
        require_range(self, 16, 128, "red_cell_px")
        require_range(self, 1, math.inf, "epochs", "tiles_per_epoch", "batch_size")
        require_range(self, 0, math.inf, "seed")
        require_range(self, 0, 1, "zoom", "stain")
        require(0 < self.learning_rate < 1, f"`learning_rate` must be between 0 and 1. Received: {self.learning_rate}.")
        require(
            0 < self.held_share <= 0.5, f"`held_share` must be above 0 and at most 0.5. Received: {self.held_share}."
        )
