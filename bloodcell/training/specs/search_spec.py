"""Which settings of a training spec a search tries, and within which bounds."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from bloodcell.core.spec import Spec, require, require_range, require_unique
from bloodcell.training.specs.choices import MetricName
from bloodcell.training.specs.train_checks import require_held_out_fold
from bloodcell.training.specs.train_spec import TrainSpec

# Settings that do not change the crops, so that these are cut once for all trials.
RANGE_SETTINGS = ("dropout", "learning_rate", "weight_decay", "label_smoothing", "momentum")
CHOICE_SETTINGS = ("scaling", "batch_size", "stage_widths", "kernel_px", "optimizer", "schedule")
SEARCHABLE = (*RANGE_SETTINGS, *CHOICE_SETTINGS)
# The only families whose convolutions have a kernel of any size.
KERNEL_FAMILIES = ("cnn", "fcn")
# Settings that only one optimizer has.
OPTIMIZER_SETTINGS = {"weight_decay": "adamw", "momentum": "sgd"}
MAX_TRIALS = 1000
# The metric at the end of a trial that stands for a monitored metric of its epochs, and its better direction.
MONITORED_METRICS: dict[str, tuple[MetricName, Literal["minimize", "maximize"]]] = {
    "val_loss": ("log_loss", "minimize"),
    "val_accuracy": ("accuracy", "maximize"),
    "val_balanced": ("balanced_accuracy", "maximize"),
}


@dataclass(frozen=True)
class Range(Spec):
    """Numbers from `low` to `high`, both included.

    Attributes
    ----------
    low, high : float
        Bounds of the numbers that are tried.
    log : bool, default False
        Draw the logarithm evenly, for settings such as the learning rate.

    Raises
    ------
    SpecError
        If `low` is not below `high`, or is not positive where `log` is set.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.low < self.high, f"`low` must be below `high`. Received: {self.low}, {self.high}.")
        require(not self.log or self.low > 0, f"`low` must be above 0 where `log` is true. Received: {self.low}.")

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values whose validity implies that of all the others."""
        return self.low, self.high


@dataclass(frozen=True)
class Choices(Spec):
    """One of some values.

    Attributes
    ----------
    choices : tuple
        The values that are tried; one or more, each once.

    Raises
    ------
    SpecError
        If there is no value, or one occurs twice.
    """

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.choices) >= 1, f"`choices` must be a list of one value or more. Received: {self.choices!r}.")
        require_unique("Values of `choices`", tuple(map(str, self.choices)))

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values whose validity implies that of all the others."""
        return self.choices


@dataclass(frozen=True)
class SearchSpec(Spec):
    """A search for better settings.

    Attributes
    ----------
    name : str
        Name of the search, and of the training spec that it finds.
    base : TrainSpec
        Settings that are not searched stay as they are here. Trials are compared by its `monitor` on its held-out fold.
    space : tuple of (str, Range or Choices)
        Settings of `SEARCHABLE` and what is tried of each; in JSON an object, setting -> {"low": , "high": , "log": }
        or {"choices": [...]}.
    trials : int, default 20
        Number of trials, including those given up early.
    seed : int, default 0
        Seed of what is tried.
    startup_trials : int, default 5
        Number of trials that are drawn at random; none of them is given up early.
    prune_after : int, default 2
        Epochs that every trial gets. After them, a trial that is worse than the median of the earlier trials at the
        same epoch is given up.

    Raises
    ------
    SpecError
        If a setting cannot be searched, a bound breaks its own rule, or nothing is held out to compare trials on.
    """

    name: str
    base: TrainSpec
    space: tuple[tuple[str, Range | Choices], ...]
    trials: int = 20
    seed: int = 0
    startup_trials: int = 5
    prune_after: int = 2

    NOUN: ClassVar[str] = "spec of a search"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, 1, MAX_TRIALS, "trials", "startup_trials")
        require_range(self, 0, 10_000, "prune_after")
        require_range(self, 0, 2**31, "seed")
        require(bool(self.name), "A search needs a name.")
        require_held_out_fold(self.base.fold)
        require(len(self.space) >= 1, f"`space` must name one setting or more of {SEARCHABLE}. Received: none.")
        for name, values in self.space:
            self._check(name, values)

    def _check(self, name: str, values: Range | Choices) -> None:
        require(name in SEARCHABLE, f"A setting of `space` must be one of {SEARCHABLE}. Received: {name!r}.")
        require(
            isinstance(values, Choices) or name in RANGE_SETTINGS,
            f"`low` and `high` are for {RANGE_SETTINGS}; {name!r} needs `choices`.",
        )
        require(
            name != "kernel_px" or self.base.model in KERNEL_FAMILIES,
            f"`kernel_px` can be searched for {KERNEL_FAMILIES}. Received: {self.base.model!r}.",
        )
        if name in OPTIMIZER_SETTINGS:
            optimizers = dict(self.space).get("optimizer", Choices((self.base.optimizer,))).extremes
            needed = OPTIMIZER_SETTINGS[name]
            require(needed in optimizers, f"{name!r} needs the optimizer {needed!r}. Received: {optimizers}.")
        for value in values.extremes:
            self.build_spec({name: value})

    def build_spec(self, values: dict[str, Any]) -> TrainSpec:
        """Return the base with the settings `values`; SpecError if they break a rule."""
        return replace(self.base, **values)

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read `space` as an object, as JSON has it: setting -> Range or Choices."""
        space = values.get("space")
        require(
            isinstance(space, dict), '`space` must be an object: setting -> {"low": , "high": } or {"choices": [...]}.'
        )
        return values | {"space": tuple(dict(space or {}).items())}

    def to_dict(self) -> dict[str, Any]:
        """Return the settings with `space` as an object."""
        return super().to_dict() | {"space": {name: values.to_dict() for name, values in self.space}}
