"""How a U-Net is taught which pixels belong to the cell."""

import math
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

from bloodcell.core.spec import Spec, require, require_range
from bloodcell.datasets.catalog.source_spec import SourceSpec

Targets = Literal["otsu", "drawn"]
OTSU: Final = "otsu"
DRAWN: Final = "drawn"
TARGETS: Final = get_args(Targets)
MIN_SIDE_PX, MAX_SIDE_PX = 32, 640
LEVELS = 3  # on which the published U-Net halves a picture


@dataclass(frozen=True)
class MasksSpec(Spec):
    """One teaching of a U-Net.

    name : of what comes of it
    source : SourceSpec of the pictures; of a split of its own, "validation" is held back and "train" learned from
    targets : the masks it learns: "otsu", what Otsu's threshold on green marks; "drawn", those that people drew
    masks : where drawn masks lie, see `datasets.masks.annotated_masks.find_annotated_masks`; "" for beside the pictures
    cell_values : levels of a drawn mask that mean the cell; () for all above 0
    height_px, width_px : of what the network takes; the picture is resized to it
    stage_widths : filters from the first level to the bottom, in place of the published ones; () for those
    epochs, batch_size : in each epoch every learned picture is shown once
    learning_rate : of the first steps; it falls to 0 along a cosine
    limit : most pictures to take, evenly over the classes; 0 for all
    held_share : share of the pictures that is held back and measured on, closed over source cells
    seed : of weights, order, mirroring, which pictures are taken and which held back
    """

    name: str
    source: SourceSpec
    title: str = ""
    targets: Targets = OTSU
    masks: str = ""
    cell_values: tuple[int, ...] = ()
    height_px: int = 128
    width_px: int = 128
    stage_widths: tuple[int, ...] = ()
    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 1e-3
    limit: int = 0
    held_share: float = 0.2
    seed: int = 0

    NOUN: ClassVar[str] = "spec of a U-Net"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.name), "A name for the U-Net is needed.")
        self._check_masks()
        self._check_network()
        require_range(self, 1, math.inf, "epochs", "batch_size")
        require_range(self, 0, math.inf, "limit", "seed")
        require(0 < self.learning_rate < 1, f"`learning_rate` must be between 0 and 1. Received: {self.learning_rate}.")
        require(
            0 < self.held_share <= 0.5, f"`held_share` must be above 0 and at most 0.5. Received: {self.held_share}."
        )
        require(not self.source.limits, "`limits` of classes mean nothing to masks: use `limit`.")

    def _check_masks(self) -> None:
        is_plain = not self.masks and not self.cell_values
        require(
            self.targets == DRAWN or is_plain,
            f"`masks` and `cell_values` are for `targets` {DRAWN!r} only. Received: {self.masks!r}, {self.cell_values}.",
        )
        are_levels = all(0 <= value <= 255 for value in self.cell_values)
        require(are_levels, f"`cell_values` must be whole numbers from 0 to 255. Received: {self.cell_values}.")

    def _check_network(self) -> None:
        widths = self.stage_widths
        are_widths = all(width >= 1 for width in widths) and len(widths) != 1
        require(are_widths, f"`stage_widths` must be two or more whole numbers of 1 or more. Received: {widths}.")
        step = 2 ** (len(widths) - 1 if widths else LEVELS)
        for name in ("height_px", "width_px"):
            side = getattr(self, name)
            is_right = MIN_SIDE_PX <= side <= MAX_SIDE_PX and side % step == 0
            require(
                is_right,
                f"`{name}` must be a multiple of {step} from {MIN_SIDE_PX} to {MAX_SIDE_PX}. Received: {side}.",
            )
