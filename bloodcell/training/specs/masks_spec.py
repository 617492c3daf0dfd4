"""How a U-Net is trained to mark the pixels of the cell."""

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
LEVELS = 3  # levels on which the published U-Net halves the image


@dataclass(frozen=True)
class MasksSpec(Spec):
    """One training run of a U-Net.

    Attributes
    ----------
    name : str
        Name of the U-Net.
    source : SourceSpec
        The images. If the source has a split of its own, its part "train" is trained on and "validation" held out.
    title : str, default ""
        Title for people; "" for the name.
    targets : {"otsu", "drawn"}, default "otsu"
        The masks to train on: "otsu", what Otsu's threshold on green marks; "drawn", masks drawn by people.
    masks : str, default ""
        Where drawn masks are, see `datasets.masks.annotated_masks.find_annotated_masks`; "" for beside the images.
    cell_values : tuple of int, default ()
        Levels of a drawn mask that mean the cell; () for all above 0.
    height_px, width_px : int, default 128
        Input size; images are resized to it.
    stage_widths : tuple of int, default ()
        Filters from the first level to the bottom; () for the published ones.
    epochs : int, default 30
        In each epoch every training image is shown once.
    batch_size : int, default 8
        Images per batch.
    learning_rate : float, default 1e-3
        Learning rate of the first steps; a cosine schedule brings it down to 0.
    limit : int, default 0
        Largest number of images to take, evenly over the classes; 0 for all.
    held_share : float, default 0.2
        Share of the images that is held out and measured on; source cells stay together.
    seed : int, default 0
        Seed of the weights, the order, the mirroring, and of which images are taken and which held out.

    Raises
    ------
    SpecError
        If a setting is outside its range, or if the source has limits.
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
        require(not self.source.limits, "`limits` of classes have no meaning for masks: use `limit`.")

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
