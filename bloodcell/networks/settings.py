"""Settings that every network is built from; importing this module loads no Keras."""

from dataclasses import dataclass, field
from typing import Final

from bloodcell.core.spec import require
from bloodcell.imaging.scale import Scaling, make_fixed_scaling

FROM_SCRATCH: Final = "none"
IMAGENET: Final = "imagenet"


@dataclass(frozen=True)
class NetworkSettings:
    """Size, heads and initial weights of one network; `registry.build_default_settings` returns its defaults.

    Attributes
    ----------
    height_px, width_px : int
        Size of the input, float32 (N, height_px, width_px, 3) with levels 0-255; 16 or more.
    n_classes : int
        Number of classes, 2 or more.
    dropout : float
        From 0 to below 1, default 0.3; which layers it acts on depends on the network.
    scaling : Scaling
        Scaling of the levels inside the network, default to -1..1.
    ood_head : bool
        Whether one more output says if a crop shows a cell of one of the classes at all, default False.
    weights : str
        "none" (from scratch, the default), "imagenet", or the path of a file with the weights of the backbone.
    stage_widths : tuple of int
        Filters of the stages; () for the network's own. Only for networks that are built here.
    kernel_px : int
        Side of the convolution kernels; 0 for the network's own. Only for CNN and FCN.
    backbone_end : str
        Layer of a Keras application that the head starts from; "" for its last one.

    Raises
    ------
    SpecError
        If a value is out of range, or the scaling does not fit the size.
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
