"""How a U-Net is taught which pixels belong to the cell."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bloodcell.core.errors import SpecError
from bloodcell.core.spec import build, json_object, require
from bloodcell.datasets.catalog.sources import SourceSpec

OTSU, DRAWN = "otsu", "drawn"
TARGETS = (OTSU, DRAWN)
MIN_SIDE_PX, MAX_SIDE_PX = 32, 640
LEVELS = 3  # on which the published U-Net halves a picture


@dataclass(frozen=True)
class MasksSpec:
    """One teaching of a U-Net.

    name : of what comes of it
    source : SourceSpec of the pictures; of a split of its own, "validation" is held back and "train" learned from
    targets : the masks it learns: "otsu", what Otsu's threshold on green marks; "drawn", those that people drew
    masks : where drawn masks lie, see `datasets.masks.annotated_masks.find_drawn_masks`; "" for beside the pictures
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
    targets: str = OTSU
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

    def __post_init__(self) -> None:
        require(isinstance(self.name, str) and bool(self.name), "A name for the U-Net is needed.")
        require(self.targets in TARGETS, f"`targets` must be one of {TARGETS}. Received: {self.targets!r}.")
        self._check_masks()
        self._check_network()
        for name, least in (("epochs", 1), ("batch_size", 1), ("limit", 0), ("seed", 0)):
            value = getattr(self, name)
            is_right = isinstance(value, int) and value >= least
            require(is_right, f"`{name}` must be a whole number of {least} or more. Received: {value}.")
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
        are_levels = isinstance(self.cell_values, tuple) and all(
            isinstance(value, int) and 0 <= value <= 255 for value in self.cell_values
        )
        require(are_levels, f"`cell_values` must be whole numbers from 0 to 255. Received: {self.cell_values}.")

    def _check_network(self) -> None:
        widths = self.stage_widths
        are_widths = all(isinstance(width, int) and width >= 1 for width in widths) and len(widths) != 1
        require(are_widths, f"`stage_widths` must be two or more whole numbers of 1 or more. Received: {widths}.")
        step = 2 ** (len(widths) - 1 if widths else LEVELS)
        for name in ("height_px", "width_px"):
            side = getattr(self, name)
            is_right = isinstance(side, int) and MIN_SIDE_PX <= side <= MAX_SIDE_PX and side % step == 0
            require(
                is_right,
                f"`{name}` must be a multiple of {step} from {MIN_SIDE_PX} to {MAX_SIDE_PX}. Received: {side}.",
            )

    @classmethod
    def from_json(cls, text: str) -> "MasksSpec":
        """Read it; SpecError names settings that do not exist."""
        values = json_object(text)
        source = values.pop("source", {})
        require(isinstance(source, dict), "`source` must be an object.")
        return build(cls, values | {"source": build(SourceSpec, source)})

    @classmethod
    def read(cls, path: Path) -> "MasksSpec":
        """Read it from a file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpecError(f"The settings {path} cannot be read: {error.strerror}.") from error

    def to_json(self) -> str:
        """Write it so that `from_json` gives it back equal."""
        return json.dumps(asdict(self), indent=2)
