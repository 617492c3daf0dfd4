"""Everything that one training run depends on, kept as spec.json in its run folder."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.spec import Spec
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.augment import NO_AUGMENTATION, Augmentation
from bloodcell.imaging.scale import ScalingName
from bloodcell.model_store.io_spec import CELL, IMAGE, Input, Mask
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

# The channels mix into each other by this part of the stain's jitter, unless a spec says otherwise.
STAIN_MIXING = 0.2


@dataclass(frozen=True)
class TrainSpec(Spec):
    """One training run.

    model : family of `networks.registry`; stage_widths, kernel_px : in place of the family's own; () and 0 for those
    weights : that the backbone starts from: "none" (from scratch), "imagenet", or the path of a file
    input : "cell", each found cell cut out, or "image", the whole picture resized
    height_px, width_px : of what the network takes
    needs_white_cell : of whole pictures, whether the model shall name only those in which a white cell is found
    context : of a cell, shorter side of the crop in units of the longer side of the cell's box
    mask : what is hidden of every picture before it is cropped: "none"; "otsu", all that Otsu's threshold on green
        takes for background; "unet", all that the U-Net in the folder `mask_model` takes for it
    scaling : what is done to the levels inside the network: "-1..1", "255" (division), ImageNet's; "crop", each crop by
        its own mean and deviation; or fitted on the learned crops of known classes: "channel", "global", "pixel" (see
        `imaging.scale`)
    images_per_epoch : crops drawn per epoch; with "every image once" most crops per epoch, 0 for all
    class_sampling : "equal parts" draws each class as often as the others, so rare ones again and again
        (oversampling); "as they come" draws classes as often as there are images of them; in both, source cells of a
        class are drawn equally often. "every image once" goes through all images in a new order each epoch
    class_weights : "none", or "balanced": in the loss a crop weighs the more the rarer its class (scikit-learn's
        compute_class_weight); for classes that are not drawn in equal parts
    focal_gamma : 0 for cross-entropy, above 0 for the focal loss with that gamma (its authors found 2 best)
    optimizer : "adamw", "adam", "nadam", "rmsprop" or "sgd"; `weight_decay` is of adamw alone, `momentum` of sgd alone
    schedule : of the learning rate. "cosine": warm-up over a twentieth of the steps, then down to 0; "constant";
        "exponential": times `rate_factor` after each epoch, smoothly; "reduce on plateau": times `rate_factor` after
        `plateau_patience` epochs in a row without a better `monitor`
    frozen_epochs, frozen_rate : a first round of so many of the epochs in which the backbone stays as it is, at this
        rate; the rest is the second round, at `learning_rate`. 0 for one round
    monitor : by which epochs are judged on held-out cells: "val_loss", "val_accuracy" or "val_balanced"
    patience : stop after so many epochs without a better `monitor`; 0 for never
    keep : which weights become the model. "mean": running mean over about the last hundred steps; "last": of the last
        step; "best": of the epoch with the best `monitor`
    deterministic : the same spec, data and seed then give the same weights to the last bit on one machine, also when
        the run is stopped and resumed. With the small network on two cores a step took no longer (0.94 of the CPU
        time, four runs each); a network with an operation that has no deterministic form stops with an error
    mixed_precision : compute in bfloat16 where weights stay float32; faster on GPUs and processors made for it only
    unknown_share : share of the drawn crops that show none of the classes; above 0 the network also answers if a crop
        is of a known kind at all. For square cells
    augment : how far the learned crops are varied
    folds, fold : validation is one fold of so many, closed over source cells; with fold -1 the model learns from
        everything, and its thresholds come from one further run a fold, each asked for the cells left out
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
        """Whether the network also answers if a crop shows a cell of one of the classes at all."""
        return self.unknown_share > 0

    @classmethod
    def for_network(cls, model: str, name: str, sources: tuple[SourceSpec, ...], **changes: Any) -> "TrainSpec":
        """A run of a family at its own size, scaling and dropout, fed the way it was published.

        Families with the head for strangers learn from cells, the others from whole pictures, each once an epoch, with
        no crops of strangers.
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
        """Read the two settings that the shipped wbc4 was recorded with under their names of today."""
        if "side_px" in values:
            values["height_px"] = values["width_px"] = values.pop("side_px")
        if "stain_jitter" in values:
            stain = values.pop("stain_jitter")
            values["augment"] = {"stain": stain, "mixing": STAIN_MIXING * stain}
        return values

    def tiny(self) -> "TrainSpec":
        """The same run, small enough for a test."""
        return replace(
            self, stage_widths=(8, 12), height_px=32, width_px=32, epochs=1, images_per_epoch=32, batch_size=16
        )


# As the published networks were taught: whole pictures, each once an epoch, plain cross-entropy, the last weights.
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
