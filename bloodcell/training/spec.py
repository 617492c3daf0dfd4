"""Everything that one training run depends on, kept as spec.json in its run folder."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bloodcell.classes import WHITE_CELLS_4
from bloodcell.data.sources import SourceSpec
from bloodcell.errors import SpecError
from bloodcell.imaging.scale import SCALINGS
from bloodcell.jsonspec import build, json_object, require

EQUAL_PARTS, AS_THEY_COME = "equal parts", "as they come"
CLASS_SAMPLINGS = (EQUAL_PARTS, AS_THEY_COME)
BALANCED = "balanced"
CLASS_WEIGHTS = ("none", BALANCED)
OPTIMIZERS = ("adamw", "adam", "nadam", "rmsprop", "sgd")
COSINE, CONSTANT, EXPONENTIAL, PLATEAU = "cosine", "constant", "exponential", "reduce on plateau"
SCHEDULES = (COSINE, CONSTANT, EXPONENTIAL, PLATEAU)
MONITORS = ("val_loss", "val_accuracy", "val_balanced")
KEEP_MEAN, KEEP_LAST, KEEP_BEST = "mean", "last", "best"
KEEPS = (KEEP_MEAN, KEEP_LAST, KEEP_BEST)


@dataclass(frozen=True)
class TrainSpec:
    """One training run.

    context : side of the crop in units of the longer side of the cell's box
    scaling : what is done to the levels inside the network: "-1..1", "255" (division), or fitted on the learned crops
        of known classes: "channel", "global", "pixel" (see `imaging.scale`)
    images_per_epoch : crops drawn per epoch
    class_sampling : "equal parts" draws each class as often as the others, so rare ones again and again
        (oversampling); "as they come" draws classes as often as there are images of them. In a class, source cells are
        drawn equally often
    class_weights : "none", or "balanced": in the loss a crop weighs the more the rarer its class (scikit-learn's
        compute_class_weight); for classes drawn as they come
    focal_gamma : 0 for cross-entropy, above 0 for the focal loss with that gamma (its authors found 2 best)
    optimizer : "adamw", "adam", "nadam", "rmsprop" or "sgd"; `weight_decay` is of adamw alone, `momentum` of sgd alone
    schedule : of the learning rate. "cosine": warm-up over a twentieth of the steps, then down to 0; "constant";
        "exponential": times `rate_factor` after each epoch, smoothly; "reduce on plateau": times `rate_factor` after
        `plateau_patience` epochs in a row without a better `monitor`
    monitor : by which epochs are judged on held-out cells: "val_loss", "val_accuracy" or "val_balanced"
    patience : stop after so many epochs without a better `monitor`; 0 for never
    keep : which weights become the model. "mean": running mean over about the last hundred steps; "last": of the last
        step; "best": of the epoch with the best `monitor`
    deterministic : the same spec, data and seed then give the same weights to the last bit on one machine, also when
        the run is stopped and resumed. With the small network on two cores a step took no longer (0.94 of the CPU
        time, four runs each); a network with an operation that has no deterministic form stops with an error
    unknown_share : share of the drawn crops that show none of the classes
    stain_jitter : spread (standard deviation, log scale) of the stain strength per channel in augmentation
    folds, fold : validation is one fold of so many, closed over source cells; with fold -1 the model learns from
        everything, and its thresholds come from one further run a fold, each asked for the cells left out
    """

    name: str
    sources: tuple[SourceSpec, ...]
    title: str = ""
    class_names: tuple[str, ...] = WHITE_CELLS_4
    model: str = "small"
    stage_widths: tuple[int, ...] = (24, 48, 96, 160)
    side_px: int = 64
    context: float = 1.25
    scaling: str = "-1..1"
    epochs: int = 15
    images_per_epoch: int = 4000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    optimizer: str = "adamw"
    momentum: float = 0.9
    schedule: str = COSINE
    rate_factor: float = 0.5
    plateau_patience: int = 3
    monitor: str = "val_loss"
    patience: int = 0
    keep: str = KEEP_MEAN
    deterministic: bool = False
    label_smoothing: float = 0.05
    dropout: float = 0.3
    unknown_share: float = 0.15
    stain_jitter: float = 0.15
    class_sampling: str = EQUAL_PARTS
    class_weights: str = "none"
    focal_gamma: float = 0.0
    folds: int = 5
    fold: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.class_names) >= 2, f"A model needs two classes or more. Received: {self.class_names}.")
        require(all(isinstance(name, str) and name for name in self.class_names), "Class names must be words.")
        require(len(set(self.class_names)) == len(self.class_names), f"Class names occur twice: {self.class_names}.")
        names = [source.name for source in self.sources]
        require(len(set(names)) == len(names), f"Sources need names of their own. Received: {names}.")
        require(0 <= self.dropout < 1, f"`dropout` must be from 0 to below 1. Received: {self.dropout}.")
        require(
            0 <= self.label_smoothing < 0.5, f"`label_smoothing` must be 0 to 0.5. Received: {self.label_smoothing}."
        )
        require(0 < self.learning_rate < 1, f"`learning_rate` must be between 0 and 1. Received: {self.learning_rate}.")
        require(0 <= self.stain_jitter <= 1, f"`stain_jitter` must be from 0 to 1. Received: {self.stain_jitter}.")
        require(len(self.sources) >= 1, "A training run needs at least one source of labelled images.")
        require(32 <= self.side_px <= 256, f"`side_px` must be from 32 to 256. Received: {self.side_px}.")
        require(self.scaling in SCALINGS, f"`scaling` must be one of {SCALINGS}. Received: {self.scaling!r}.")
        require(self.epochs >= 1, f"`epochs` must be 1 or more. Received: {self.epochs}.")
        require(self.batch_size >= 2, f"`batch_size` must be 2 or more. Received: {self.batch_size}.")
        require(self.images_per_epoch >= self.batch_size, "`images_per_epoch` must be at least one batch.")
        require(
            0 <= self.unknown_share < 0.5, f"`unknown_share` must be from 0 to 0.5. Received: {self.unknown_share}."
        )
        self._require_imbalance()
        self._require_optimizer()
        require(self.folds >= 2, f"`folds` must be 2 or more. Received: {self.folds}.")
        require(-1 <= self.fold < self.folds, f"`fold` must be from -1 to {self.folds - 1}. Received: {self.fold}.")

    def _require_optimizer(self) -> None:
        for name, allowed in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("monitor", MONITORS),
            ("keep", KEEPS),
        ):
            value = getattr(self, name)
            require(value in allowed, f"`{name}` must be one of {allowed}. Received: {value!r}.")
        require(0 <= self.momentum < 1, f"`momentum` must be from 0 to below 1. Received: {self.momentum}.")
        require(0 < self.rate_factor < 1, f"`rate_factor` must be between 0 and 1. Received: {self.rate_factor}.")
        for name, least in (("plateau_patience", 1), ("patience", 0)):
            value = getattr(self, name)
            require(value >= least, f"`{name}` must be {least} or more. Received: {value}.")
        require(
            self.deterministic in (True, False),
            f"`deterministic` must be true or false. Received: {self.deterministic!r}.",
        )
        wants = {"patience": self.patience > 0, "keep": self.keep == KEEP_BEST, "schedule": self.schedule == PLATEAU}
        blind = [
            f"`{name}` {getattr(self, name)!r}" for name, is_wanted in wants.items() if is_wanted and self.fold < 0
        ]
        require(
            not blind,
            f"{' and '.join(blind)} need cells held out from the model: `fold` must be 0 or more. Received: -1.",
        )

    def _require_imbalance(self) -> None:
        sampling, weights = self.class_sampling, self.class_weights
        require(
            sampling in CLASS_SAMPLINGS, f"`class_sampling` must be one of {CLASS_SAMPLINGS}. Received: {sampling!r}."
        )
        require(weights in CLASS_WEIGHTS, f"`class_weights` must be one of {CLASS_WEIGHTS}. Received: {weights!r}.")
        require(
            weights != BALANCED or sampling == AS_THEY_COME,
            f"`class_weights` {BALANCED!r} need `class_sampling` {AS_THEY_COME!r}: classes drawn in {EQUAL_PARTS} are"
            " balanced already.",
        )
        require(0 <= self.focal_gamma <= 10, f"`focal_gamma` must be from 0 to 10. Received: {self.focal_gamma}.")
        for source in self.sources:
            foreign = [name for name, _ in source.limits if name not in self.class_names]
            require(not foreign, f"`limits` must name classes of {self.class_names}. Received: {foreign}.")

    @classmethod
    def from_json(cls, text: str) -> "TrainSpec":
        """Read a spec; SpecError names settings that do not exist."""
        values = json_object(text)
        sources = values.pop("sources", [])
        if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
            raise SpecError("`sources` must be a list of objects.")
        built = tuple(build(SourceSpec, source) for source in sources)
        return build(cls, values | {"sources": built})

    @classmethod
    def read(cls, path: Path) -> "TrainSpec":
        """Read spec.json from a file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpecError(f"The training spec {path} cannot be read: {error.strerror}.") from error

    def to_json(self) -> str:
        """Write the spec so that `from_json` gives it back equal."""
        return json.dumps(asdict(self), indent=2)

    def tiny(self) -> "TrainSpec":
        """The same run, small enough for a test."""
        return replace(self, stage_widths=(8, 12), side_px=32, epochs=1, images_per_epoch=32, batch_size=16)
