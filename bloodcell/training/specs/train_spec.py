"""Everything that one training run depends on; stored as spec.json in its run folder."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.spec import Spec
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.augment import NO_AUGMENTATION, Augmentation
from bloodcell.imaging.scale import ScalingName
from bloodcell.model_store.io_spec import BOX_FRAME, CELL, IMAGE, Frame, Input, Mask
from bloodcell.networks.registry import get_network
from bloodcell.networks.settings import FROM_SCRATCH
from bloodcell.training.specs.choices import (
    COSINE,
    EQUAL_PARTS,
    EVERY_IMAGE,
    KEEP_LAST,
    KEEP_MEAN,
    ClassSampling,
    ClassWeights,
    Keep,
    Monitor,
    OptimizerName,
    Schedule,
)
from bloodcell.training.specs.train_checks import check_spec

# The channels mix into each other by this share of the stain augmentation, unless a spec says otherwise.
STAIN_MIXING = 0.2


@dataclass(frozen=True)
class TrainSpec(Spec):
    """Settings of one training run.

    Attributes
    ----------
    name : str
        Name of the model.
    sources : tuple of SourceSpec
        Labelled datasets, one or more.
    title : str, default ""
        Title for people; "" for the name.
    class_names : tuple of str, default `core.labels.WHITE_CELLS_4`
        Classes of the model, in order; two or more.
    model : str, default "small"
        Network, a name of `networks.registry`.
    stage_widths : tuple of int, default ()
        Filters of each stage; () for the network's own.
    kernel_px : int, default 0
        Side of the convolution kernels; 0 for the network's own.
    weights : str, default "none"
        Weights that the backbone starts from: "none" (from scratch), "imagenet", or the path of a file.
    input : {"cell", "image"}, default "cell"
        "cell" cuts out each cell that is found; "image" resizes the whole image.
    height_px, width_px : int, default 64
        Input size of the network, 32 to 640.
    needs_white_cell : bool, default True
        For whole images, whether the model only classifies images in which a white cell is found.
    context : float, default 1.25
        For cells, shorter side of the crop in units of what `frame` says.
    frame : {"box", "physical"}, default "box"
        The unit of `context`: "box", the longer side of the cell's box; "physical", the diameter of red cells in the
        images of its source, so that a small cell stays small (3 is a good start).
    mask : {"none", "otsu", "unet"}, default "none"
        What is hidden of every image before it is cropped: "otsu", all that Otsu's threshold on green takes for
        background; "unet", all that the U-Net in the folder `mask_model` takes for it.
    mask_model : str, default ""
        Folder of the U-Net, for the mask "unet" only.
    scaling : str, default "-1..1"
        How levels are scaled inside the network: "-1..1", "255" (division), as for ImageNet ("imagenet torch",
        "imagenet caffe"), "crop" (each crop by its own mean and deviation), or by statistics of the training crops of
        the classes: "channel", "global", "pixel" (see `imaging.scale`).
    epochs : int, default 15
        Largest number of epochs, of both phases together.
    images_per_epoch : int, default 4000
        Crops drawn per epoch; with "every image once" the largest number of crops per epoch, 0 for all.
    batch_size : int, default 64
        Crops per batch.
    learning_rate : float, default 2e-3
        Learning rate at the start of the schedule.
    weight_decay : float, default 1e-3
        Of the optimizer "adamw" only.
    optimizer : {"adamw", "adam", "nadam", "rmsprop", "sgd"}, default "adamw"
    momentum : float, default 0.9
        Of the optimizer "sgd" only.
    schedule : {"cosine", "constant", "exponential", "reduce on plateau"}, default "cosine"
        Learning rate schedule. "cosine" warms up over a twentieth of the steps, then falls to 0; "exponential"
        multiplies by `rate_factor` over each epoch, smoothly; "reduce on plateau" multiplies by `rate_factor` after
        `plateau_patience` epochs in a row without a better `monitor`.
    rate_factor : float, default 0.5
    plateau_patience : int, default 3
    frozen_epochs : int, default 0
        Epochs of a first phase in which the backbone is frozen; the other epochs are the second phase. 0 for a single
        phase.
    frozen_rate : float, default 1e-3
        Learning rate of the first phase.
    monitor : {"val_loss", "val_accuracy", "val_balanced"}, default "val_loss"
        Monitored metric, by which epochs are compared on held-out cells.
    patience : int, default 0
        Early stopping after so many epochs without a better `monitor`; 0 for never.
    keep : {"mean", "last", "best"}, default "mean"
        Weights that become the model: "mean", a running mean over about the last hundred steps; "last", of the last
        step; "best", the best checkpoint, of the epoch with the best `monitor`.
    deterministic : bool, default False
        The same spec, data and seed give bit-identical weights on one machine, also when the run is stopped and
        resumed. With the small network on two cores a step took no longer (0.94 of the CPU time, four runs each). A
        network with an operation that has no deterministic form stops with an error.
    mixed_precision : bool, default False
        Compute in bfloat16 while weights stay float32; faster only on GPUs and processors made for it.
    label_smoothing : float, default 0.05
    dropout : float, default 0.3
    unknown_share : float, default 0.15
        Share of the drawn crops that show none of the classes. Above 0, the network has an out-of-distribution head,
        which predicts whether a crop shows a cell of one of the classes. For square cells only.
    augment : Augmentation
        How strongly training crops are augmented.
    class_sampling : {"equal parts", "as they come", "every image once"}, default "equal parts"
        "equal parts" draws every class equally often, so rare classes are oversampled; "as they come" draws classes as
        often as there are images of them. In both, the source cells of a class are drawn equally often. "every image
        once" goes through all images in a new order each epoch.
    class_weights : {"none", "balanced"}, default "none"
        "balanced" gives rarer classes a larger weight in the loss (scikit-learn's compute_class_weight), for classes
        that are not drawn in equal parts.
    focal_gamma : float, default 0
        0 for cross-entropy, above 0 for the focal loss with that gamma (its authors found 2 best).
    folds : int, default 5
        Number of folds; copies of a source cell stay in one fold.
    fold : int, default 0
        The held-out fold. With -1 the model is trained on everything, and its thresholds come from one further fit per
        fold, each of which predicts the cells held out from it.
    seed : int, default 0

    Raises
    ------
    SpecError
        If a setting is outside its range, or two settings contradict each other.

    Examples
    --------
    >>> spec = TrainSpec("mine", (SourceSpec("pbc", "pbc.zip"),), epochs=3)
    >>> TrainSpec.from_json(spec.to_json()) == spec
    True
    >>> TrainSpec.for_network("cnn", "mine", spec.sources).class_sampling
    'every image once'
    """

    name: str
    sources: tuple[SourceSpec, ...]
    title: str = ""
    class_names: tuple[str, ...] = WHITE_CELLS_4
    model: str = "small"
    stage_widths: tuple[int, ...] = ()
    kernel_px: int = 0
    weights: str = FROM_SCRATCH
    input: Input = CELL
    height_px: int = 64
    width_px: int = 64
    needs_white_cell: bool = True
    context: float = 1.25
    frame: Frame = BOX_FRAME
    mask: Mask = "none"
    mask_model: str = ""
    scaling: ScalingName = "-1..1"
    epochs: int = 15
    images_per_epoch: int = 4000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    optimizer: OptimizerName = "adamw"
    momentum: float = 0.9
    schedule: Schedule = COSINE
    rate_factor: float = 0.5
    plateau_patience: int = 3
    frozen_epochs: int = 0
    frozen_rate: float = 1e-3
    monitor: Monitor = "val_loss"
    patience: int = 0
    keep: Keep = KEEP_MEAN
    deterministic: bool = False
    mixed_precision: bool = False
    label_smoothing: float = 0.05
    dropout: float = 0.3
    unknown_share: float = 0.15
    augment: Augmentation = field(default_factory=Augmentation)
    class_sampling: ClassSampling = EQUAL_PARTS
    class_weights: ClassWeights = "none"
    focal_gamma: float = 0.0
    folds: int = 5
    fold: int = 0
    seed: int = 0

    NOUN: ClassVar[str] = "training spec"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spec(self)

    @property
    def ood_head(self) -> bool:
        """Whether the network also predicts if a crop shows a cell of one of the classes at all."""
        return self.unknown_share > 0

    @classmethod
    def for_network(cls, model: str, name: str, sources: tuple[SourceSpec, ...], **changes: Any) -> "TrainSpec":
        """Build a run of a network at its own size, scaling and dropout, trained the way it was published.

        Networks with an out-of-distribution head are trained on cells. The others are trained on whole images, each
        once per epoch, without crops of unknown cells.

        Parameters
        ----------
        model : str
            Name of the network in `networks.registry`.
        name : str
            Name of the model.
        sources : tuple of SourceSpec
            Labelled datasets.
        **changes
            Settings in place of the network's own.

        Returns
        -------
        TrainSpec

        Raises
        ------
        SpecError
            If there is no such network, or a setting breaks a rule.
        """
        family = get_network(model)
        own: dict[str, Any] = {
            "height_px": family.height_px,
            "width_px": family.width_px,
            "scaling": family.scaling,
            "dropout": family.dropout,
        }
        if not family.ood_head:
            own |= PUBLISHED_SETTINGS
        return cls(**{"name": name, "sources": sources, "model": model} | own | changes)

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read the two settings of the shipped wbc4 that have other names today."""
        if "side_px" in values:
            values["height_px"] = values["width_px"] = values.pop("side_px")
        if "stain_jitter" in values:
            stain = values.pop("stain_jitter")
            values["augment"] = {"stain": stain, "mixing": STAIN_MIXING * stain}
        return values

    def tiny(self) -> "TrainSpec":
        """Return the same run, small enough for a test."""
        return replace(
            self, stage_widths=(8, 12), height_px=32, width_px=32, epochs=1, images_per_epoch=32, batch_size=16
        )


# As the published networks were trained: whole images, each once per epoch, plain cross-entropy, the last weights.
PUBLISHED_SETTINGS: dict[str, Any] = {
    "input": IMAGE,
    "unknown_share": 0.0,
    "class_sampling": EVERY_IMAGE,
    "images_per_epoch": 0,
    "label_smoothing": 0.0,
    "optimizer": "adam",
    "schedule": COSINE,
    "learning_rate": 1e-3,
    "batch_size": 32,
    "keep": KEEP_LAST,
    "augment": NO_AUGMENTATION,
}
