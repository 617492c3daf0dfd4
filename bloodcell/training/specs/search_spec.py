"""Which settings of a training spec a search tries, and within what bounds."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bloodcell.core.errors import SpecError
from bloodcell.core.spec import build, json_object, require
from bloodcell.training.specs.train_checks import require_one_held_out
from bloodcell.training.specs.train_spec import TrainSpec

# What does not change the crops, so that they are cut once for all trials.
RANGED = ("dropout", "learning_rate", "weight_decay", "label_smoothing", "momentum")
CHOSEN = ("scaling", "batch_size", "stage_widths", "kernel_px", "optimizer", "schedule")
SEARCHABLE = (*RANGED, *CHOSEN)
# The only families whose convolutions have a kernel of any size.
WITH_KERNEL = ("cnn", "fcn")
# Settings that only one optimizer has.
OF_OPTIMIZER = {"weight_decay": "adamw", "momentum": "sgd"}
MOST_TRIALS = 1000
# The figure at the end that stands for a monitor of the epochs, and whether less of it is better.
JUDGED_BY: dict[str, tuple[str, Literal["minimize", "maximize"]]] = {
    "val_loss": ("log_loss", "minimize"),
    "val_accuracy": ("accuracy", "maximize"),
    "val_balanced": ("balanced_accuracy", "maximize"),
}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `log` draws their logarithm evenly."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        are_numbers = all(isinstance(bound, int | float) for bound in (self.low, self.high))
        require(are_numbers and self.low < self.high, f"`low` must be below `high`. Received: {self.low}, {self.high}.")
        require(self.log in (True, False), f"`log` must be true or false. Received: {self.log!r}.")
        require(not self.log or self.low > 0, f"`low` must be above 0 where `log` is true. Received: {self.low}.")

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that must be allowed for all to be."""
        return self.low, self.high


@dataclass(frozen=True)
class Choices:
    """One of some values."""

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        is_right = isinstance(self.choices, tuple) and len(self.choices) >= 1
        require(is_right, f"`choices` must be a list of one value or more. Received: {self.choices!r}.")
        require(
            len({str(one) for one in self.choices}) == len(self.choices),
            f"`choices` names a value twice: {self.choices}.",
        )

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that must be allowed for all to be."""
        return self.choices


@dataclass(frozen=True)
class SearchSpec:
    """A search for better settings.

    name : of the search and of the spec that comes of it
    base : TrainSpec; what is not searched stays as it is there. Trials are judged by its `monitor` on its fold
    space : pairs of a setting in `SEARCHABLE` and its Range or Choices; in JSON an object, setting ->
        {"low": , "high": , "log": } or {"choices": [...]}
    trials : how many are brought to an end, those given up early included
    seed : of what is tried
    startup_trials : so many are drawn at random and none of them is given up early
    prune_after : epochs that every trial gets; after them one that is worse than the median of the trials before it,
        at the same epoch, is given up
    """

    name: str
    base: TrainSpec
    space: tuple[tuple[str, Range | Choices], ...]
    trials: int = 20
    seed: int = 0
    startup_trials: int = 5
    prune_after: int = 2

    def __post_init__(self) -> None:
        bounds = (("trials", 1, MOST_TRIALS), ("startup_trials", 1, MOST_TRIALS), ("prune_after", 0, 10_000))
        for name, least, most in (*bounds, ("seed", 0, 2**31)):
            value = getattr(self, name)
            is_right = isinstance(value, int) and least <= value <= most
            require(is_right, f"`{name}` must be from {least} to {most}. Received: {value!r}.")
        require(isinstance(self.name, str) and bool(self.name), "A search needs a name.")
        require_one_held_out(self.base.fold)
        require(len(self.space) >= 1, f"`space` must name one setting or more of {SEARCHABLE}. Received: none.")
        for name, values in self.space:
            self._check(name, values)

    def _check(self, name: str, values: Range | Choices) -> None:
        require(name in SEARCHABLE, f"What is searched must be one of {SEARCHABLE}. Received: {name!r}.")
        require(
            isinstance(values, Choices) or name in RANGED,
            f"`low` and `high` are for {RANGED}; {name!r} needs `choices`.",
        )
        require(
            name != "kernel_px" or self.base.model in WITH_KERNEL,
            f"`kernel_px` can be searched for {WITH_KERNEL}. Received: {self.base.model!r}.",
        )
        if name in OF_OPTIMIZER:
            tried = next((one.ends for other, one in self.space if other == "optimizer"), (self.base.optimizer,))
            needed = OF_OPTIMIZER[name]
            require(needed in tried, f"{name!r} is of the optimizer {needed!r} alone. Received: {tried}.")
        for value in values.ends:
            try:
                self.spec_of({name: value})
            except TypeError as error:
                raise SpecError(f"{name!r} cannot be {value!r}: {error}.") from error

    def spec_of(self, values: dict[str, Any]) -> TrainSpec:
        """The base with some settings in place of its own."""
        return replace(self.base, **values)

    @classmethod
    def from_json(cls, text: str) -> "SearchSpec":
        """Read a search; SpecError names settings that do not exist."""
        values = json_object(text)
        space = values.pop("space", None)
        if not isinstance(space, dict) or not all(isinstance(one, dict) for one in space.values()):
            raise SpecError('`space` must be an object: setting -> {"low": , "high": } or {"choices": [...]}.')
        base = TrainSpec.from_json(json.dumps(values.pop("base", {})))
        built = tuple((name, build(Choices if "choices" in one else Range, one)) for name, one in space.items())
        return build(cls, values | {"base": base, "space": built})

    @classmethod
    def read(cls, path: Path) -> "SearchSpec":
        """Read a search from a file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpecError(f"The search {path} cannot be read: {error.strerror}.") from error

    def to_json(self) -> str:
        """Write the search so that `from_json` gives it back equal."""
        space = {name: asdict(values) for name, values in self.space}
        return json.dumps(asdict(self) | {"space": space, "base": json.loads(self.base.to_json())}, indent=2)
