"""What a model's network takes and gives, as its spec.json says: written after training, read before prediction."""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from bloodcell.core.errors import ModelError

Input = Literal["cell", "image"]
CELL: Final = "cell"
IMAGE: Final = "image"
INPUTS: Final = get_args(Input)
Mask = Literal["none", "otsu", "unet"]
MASK_NONE: Final = "none"
MASK_OTSU: Final = "otsu"
MASK_UNET: Final = "unet"
MASKS: Final = get_args(Mask)
MAX_CONTEXT = 10.0
# The U-Net of a model that hides what it takes for background lies in the model's folder.
MASK_FILE = "mask.onnx"
LOGITS, IN_DISTRIBUTION, FEATURES = "logits", "known", "features"
# Of models from before spec.json named them.
ALL_OUTPUTS = (LOGITS, IN_DISTRIBUTION, FEATURES)
# A network from elsewhere has only its answer: nothing says how far to trust it.
LOGITS_ONLY = (LOGITS,)
ALLOWED_OUTPUTS = (ALL_OUTPUTS, (LOGITS, FEATURES), LOGITS_ONLY)


@dataclass(frozen=True)
class ModelIOSpec:
    """The doors of a network.

    height_px, width_px : of what it takes, uint8 (N, height_px, width_px, 3)
    input : "cell", each found cell cut out; "image", the whole picture resized
    context : of a cell, side of what is cut out in units of the longer side of its box (`imaging.crop.crop_cell`)
    outputs : of model.onnx, in order: logits, maybe known, features; logits alone of a network from elsewhere
    mask : what is hidden of a picture before: "none", "otsu", or "unet", by the network in `MASK_FILE`
    needs_white_cell : of whole pictures, whether only those in which a white cell is found are named; false for pictures
        of something else, such as red cells
    """

    height_px: int
    width_px: int
    input: Input = CELL
    context: float = 1.0
    outputs: tuple[str, ...] = ALL_OUTPUTS
    mask: Mask = MASK_NONE
    needs_white_cell: bool = True

    @property
    def has_ood_head(self) -> bool:
        """Whether the network answers if a crop shows a cell of one of its classes at all."""
        return IN_DISTRIBUTION in self.outputs

    @property
    def has_thresholds(self) -> bool:
        """Whether its answers are judged by thresholds and by typical.npz; without, every cell is to be checked."""
        return self.outputs != LOGITS_ONLY

    def to_description(self) -> dict[str, Any]:
        """The part of spec.json that `read_io_spec` reads; a square of cells also under its older name, side_px."""
        side = {"side_px": self.height_px} if self.height_px == self.width_px else {}
        return {
            **side,
            "height_px": self.height_px,
            "width_px": self.width_px,
            "input": self.input,
            "context": self.context,
            "outputs": list(self.outputs),
            "mask": self.mask,
            "needs_white_cell": self.needs_white_cell,
        }


def read_io_spec(description: dict[str, Any], name: str) -> ModelIOSpec:
    """Read what spec.json of the model `name` says.

    Raises
    ------
    ModelError
        If the size is missing, a cell's context is, or something has a value that there is not.
    """
    kind = description.get("input", CELL)
    if kind not in INPUTS:
        raise ModelError(f"`input` of the model {name} must be one of {INPUTS}. Received: {kind!r}.")
    has_size = "height_px" in description and "width_px" in description
    missing = [] if has_size or "side_px" in description else ["side_px"]
    missing += ["context"] if kind == CELL and "context" not in description else []
    if missing:
        raise ModelError(f"spec.json of the model {name} lacks {', '.join(missing)}.")
    side_px = description.get("side_px", 0)
    size = (description.get("height_px", side_px), description.get("width_px", side_px))
    if not all(isinstance(side, int) and side >= 1 for side in size):
        raise ModelError(f"The input of the model {name} must be 1 px or more a side. Received: {size}.")
    context = description.get("context", 1.0)
    if isinstance(context, bool) or not isinstance(context, int | float) or not 0 < context <= MAX_CONTEXT:
        raise ModelError(
            f"`context` of the model {name} must be above 0 and at most {MAX_CONTEXT:g}. Received: {context!r}."
        )
    named = description.get("outputs", ALL_OUTPUTS)
    outputs = tuple(named) if isinstance(named, list | tuple) else named
    if outputs not in ALLOWED_OUTPUTS:
        raise ModelError(f"`outputs` of the model {name} must be one of {ALLOWED_OUTPUTS}. Received: {outputs}.")
    mask = description.get("mask", MASK_NONE)
    if mask not in MASKS:
        raise ModelError(f"`mask` of the model {name} must be one of {MASKS}. Received: {mask!r}.")
    needs = description.get("needs_white_cell", True)
    if not isinstance(needs, bool) or not (needs or kind == IMAGE):
        raise ModelError(
            f"`needs_white_cell` of the model {name} must be true, or false where it takes whole pictures. Received: {needs!r}."
        )
    return ModelIOSpec(*size, input=kind, context=float(context), outputs=outputs, mask=mask, needs_white_cell=needs)
