"""What a network is built from, whatever its family; importing it loads no Keras."""

from dataclasses import dataclass, field

from bloodcell.core.spec import require
from bloodcell.imaging.scale import Scaling, make_fixed_scaling

FROM_SCRATCH, IMAGENET = "none", "imagenet"


@dataclass(frozen=True)
class NetworkSettings:
    """Size, heads and start of one network; `registry.build_default_settings` gives those of a family.

    height_px, width_px : of the input, which is float32 (N, height_px, width_px, 3) with levels 0-255
    n_classes : int
    dropout : float, from 0 to below 1; where it acts is the family's own
    scaling : Scaling of the levels, done inside the network
    known_head : whether the network also answers if a crop shows a cell of one of the classes at all
    weights : "none" (from scratch), "imagenet", or the path of a file with the weights of the family's backbone
    stage_widths : filters of the stages, in place of the family's own; () for those. Only for networks of our own code
    kernel_px : side of the convolutions' kernels, in place of the family's own; 0 for that. CNN and FCN only
    backbone_end : name of the layer of a Keras application that the head starts from; "" for its last
    """

    height_px: int
    width_px: int
    n_classes: int
    dropout: float = 0.3
    scaling: Scaling = field(default_factory=lambda: make_fixed_scaling("-1..1"))
    ood_head: bool = False
    weights: str = FROM_SCRATCH
    stage_widths: tuple[int, ...] = ()
    kernel_px: int = 0
    backbone_end: str = ""

    def __post_init__(self) -> None:
        size = (self.height_px, self.width_px)
        require(min(size) >= 16, f"`height_px` and `width_px` must be 16 or more. Received: {size}.")
        require(self.n_classes >= 2, f"`n_classes` must be 2 or more. Received: {self.n_classes}.")
        require(0 <= self.dropout < 1, f"`dropout` must be from 0 to below 1. Received: {self.dropout}.")
        require(self.kernel_px >= 0, f"`kernel_px` must be 0 or more. Received: {self.kernel_px}.")
        require(
            all(width >= 1 for width in self.stage_widths),
            f"`stage_widths` must be 1 or more each. Received: {self.stage_widths}.",
        )
        require(bool(self.weights), "`weights` must be 'none', 'imagenet' or the path of a file. Received: ''.")
        fitted_on = self.scaling.mean.shape[:2]
        require(
            self.scaling.mean.ndim < 3 or fitted_on == size,
            f"A scaling of each pixel must be fitted on crops of the network's size {size}. Received: {fitted_on}.",
        )
