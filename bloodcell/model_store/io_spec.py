"""Input and outputs of a model's network, as its spec.json says: written after training, read before prediction."""

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
Frame = Literal["box", "physical"]
BOX_FRAME: Final = "box"
PHYSICAL_FRAME: Final = "physical"
FRAMES: Final = get_args(Frame)
MAX_CONTEXT: Final = 10.0
# Names of the outputs in the network; the second is that of the out-of-distribution head.
LOGITS: Final = "logits"
IN_DISTRIBUTION: Final = "known"
FEATURES: Final = "features"
# Also of models from before spec.json named them.
ALL_OUTPUTS: Final = (LOGITS, IN_DISTRIBUTION, FEATURES)
# An imported network has nothing that says how far to trust its classes.
LOGITS_ONLY: Final = (LOGITS,)
ALLOWED_OUTPUTS: Final = (ALL_OUTPUTS, (LOGITS, FEATURES), LOGITS_ONLY)


@dataclass(frozen=True)
class ModelIOSpec:
    """Input and outputs of a network.

    Attributes
    ----------
    height_px, width_px : int
        Size of the input, uint8 (N, height_px, width_px, 3).
    input : {"cell", "image"}
        "cell": each found cell, cut out. "image": the whole image, resized.
    context : float
        Of a cell, the side of what is cut out, in units of what `frame` says.
    outputs : tuple of str
        Outputs of the network in their order, one of `ALLOWED_OUTPUTS`; logits alone of an imported network.
    mask : {"none", "otsu", "unet"}
        How the background is hidden first; "unet" by the network in `folder.MASK_FILE`.
    needs_white_cell : bool
        Of whole images, whether only those are classified in which a white cell is found; False for images of
        something else, such as red cells.
    frame : {"box", "physical"}
        The unit of `context`: "box", the longer side of the cell's box; "physical", the diameter of red cells in the image,
        so that a small cell stays small.
    """

    height_px: int
    width_px: int
    input: Input = CELL
    context: float = 1.0
    outputs: tuple[str, ...] = ALL_OUTPUTS
    mask: Mask = MASK_NONE
    needs_white_cell: bool = True
    frame: Frame = BOX_FRAME

    @property
    def has_ood_head(self) -> bool:
        """Whether an output says if a crop shows a cell of one of the classes at all."""
        return IN_DISTRIBUTION in self.outputs

    @property
    def has_thresholds(self) -> bool:
        """Whether thresholds and feature statistics decide the status of a cell; without, every cell is to be checked."""
        return self.outputs != LOGITS_ONLY

    def to_dict(self) -> dict[str, Any]:
        """Return the part of spec.json that `read_io_spec` reads; a square also under its older name, side_px."""
        side = {"side_px": self.height_px} if self.height_px == self.width_px else {}
        frame = {"frame": self.frame} if self.frame != BOX_FRAME else {}
        return {
            **side,
            "height_px": self.height_px,
            "width_px": self.width_px,
            "input": self.input,
            "context": self.context,
            "outputs": list(self.outputs),
            "mask": self.mask,
            "needs_white_cell": self.needs_white_cell,
            **frame,
        }


def read_io_spec(document: dict[str, Any], name: str) -> ModelIOSpec:
    """Read what spec.json says about input and outputs.

    Parameters
    ----------
    document : dict
        Contents of spec.json.
    name : str
        Name of the model, for errors.

    Raises
    ------
    ModelError
        If the size is missing, or the context of a cell, or a value is not allowed.

    Examples
    --------
    >>> io_spec = read_io_spec({"side_px": 64, "context": 1.25}, "mine")
    >>> io_spec.height_px, io_spec.width_px, io_spec.input, io_spec.has_ood_head
    (64, 64, 'cell', True)
    """
    kind = document.get("input", CELL)
    if kind not in INPUTS:
        raise ModelError(f"`input` of the model {name} must be one of {INPUTS}. Received: {kind!r}.")
    has_size = "height_px" in document and "width_px" in document
    missing = [] if has_size or "side_px" in document else ["side_px"]
    missing += ["context"] if kind == CELL and "context" not in document else []
    if missing:
        raise ModelError(f"spec.json of the model {name} lacks {', '.join(missing)}.")
    side_px = document.get("side_px", 0)
    size = (document.get("height_px", side_px), document.get("width_px", side_px))
    if not all(isinstance(side, int) and side >= 1 for side in size):
        raise ModelError(f"The input of the model {name} must be 1 px or more on each side. Received: {size}.")
    context = document.get("context", 1.0)
    if isinstance(context, bool) or not isinstance(context, int | float) or not 0 < context <= MAX_CONTEXT:
        raise ModelError(
            f"`context` of the model {name} must be above 0 and at most {MAX_CONTEXT:g}. Received: {context!r}."
        )
    stored = document.get("outputs", ALL_OUTPUTS)
    outputs = tuple(stored) if isinstance(stored, list | tuple) else stored
    if outputs not in ALLOWED_OUTPUTS:
        raise ModelError(f"`outputs` of the model {name} must be one of {ALLOWED_OUTPUTS}. Received: {outputs}.")
    mask = document.get("mask", MASK_NONE)
    if mask not in MASKS:
        raise ModelError(f"`mask` of the model {name} must be one of {MASKS}. Received: {mask!r}.")
    needs_white_cell = document.get("needs_white_cell", True)
    if not isinstance(needs_white_cell, bool) or not (needs_white_cell or kind == IMAGE):
        raise ModelError(
            f"`needs_white_cell` of the model {name} must be true, or false where its input is the whole image. "
            f"Received: {needs_white_cell!r}."
        )
    frame = document.get("frame", BOX_FRAME)
    if frame not in FRAMES:
        raise ModelError(f"`frame` of the model {name} must be one of {FRAMES}. Received: {frame!r}.")
    return ModelIOSpec(
        *size,
        input=kind,
        context=float(context),
        outputs=outputs,
        mask=mask,
        needs_white_cell=needs_white_cell,
        frame=frame,
    )
