"""Several runs of one spec that differ in the seed: their settings, when one has converged, and their spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np

from bloodcell.core.spec import Spec, require_range
from bloodcell.training.specs.train_checks import require_held_out_fold
from bloodcell.training.specs.train_spec import TrainSpec

MAX_TRIALS = 200
# A trial is better than chance once its balanced accuracy is this share of the way from chance to 1 ...
MIN_GAIN_SHARE = 0.25
# ... and its training loss has fallen to this share of the first epoch's.
MAX_LOSS_RATIO = 0.9


@dataclass(frozen=True)
class TrialsSpec(Spec):
    """Runs of one training spec with `n` seeds, measured on the cells of its held-out fold.

    Attributes
    ----------
    train : TrainSpec
        The spec; its own seed is the first.
    n : int, default 10
        Number of runs, 2 to 200.

    Raises
    ------
    SpecError
        If `n` is out of range, or nothing is held out to measure the runs on.
    """

    train: TrainSpec
    n: int = 10

    NOUN: ClassVar[str] = "spec of trials"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, 2, MAX_TRIALS, "n")
        require_held_out_fold(self.train.fold)

    @property
    def seeds(self) -> list[int]:
        """Seed of each trial."""
        return [self.train.seed + number for number in range(self.n)]

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read a training spec alone as trials of it."""
        return values if "train" in values else {"train": values}


def compute_min_balanced(n_classes: int) -> float:
    """Compute the lowest balanced accuracy of a converged trial: a quarter of the way from chance to 1.

    A network that guesses, or always predicts the same class, has 1 / n_classes.

    Examples
    --------
    >>> compute_min_balanced(4)  # 0.25 + 0.75 / 4
    0.4375
    """
    return 1 / n_classes + MIN_GAIN_SHARE * (1 - 1 / n_classes)


def has_converged(balanced: float, losses: Sequence[float], n_classes: int) -> bool:
    """Return whether a trial has converged, by the rule of `describe_convergence_rule`.

    Parameters
    ----------
    balanced : float
        Balanced accuracy on the held-out fold at the end; NaN never converges.
    losses : sequence of float
        Training loss of each epoch, in order. Empty for a network that is not trained in epochs: then only the first
        condition counts. A single epoch has no earlier loss to be below, so it has not converged.
    n_classes : int
        Number of classes.

    Returns
    -------
    bool

    Examples
    --------
    >>> has_converged(0.9, [1.4, 0.8, 0.3], n_classes=4)
    True
    >>> has_converged(0.3, [1.4, 0.8, 0.3], n_classes=4)
    False
    """
    if not balanced >= compute_min_balanced(n_classes):
        return False
    if not len(losses):
        return True
    return math.isfinite(losses[-1]) and losses[-1] <= MAX_LOSS_RATIO * losses[0] and len(losses) > 1


def describe_convergence_rule(n_classes: int) -> str:
    """Describe the rule of convergence in one sentence."""
    return (
        "A trial has converged if its final balanced accuracy on the held-out fold is at least"
        f" {compute_min_balanced(n_classes):.4f} (a quarter of the way from chance, 1/{n_classes}, to 1) and the training"
        f" loss of its last epoch is at most {MAX_LOSS_RATIO:g} times that of its first."
    )


class Spread(TypedDict):
    """How far a metric spreads over the trials, as trials.json holds it; None where too few trials have the metric."""

    n: int
    mean: float | None
    sd: float | None
    min: float | None
    max: float | None


def summarise_spread(values: Sequence[float | None]) -> Spread:
    """Summarise how far a metric spreads over trials.

    Parameters
    ----------
    values : sequence of float or None
        None for a trial that does not have the metric.

    Returns
    -------
    Spread
        Number of values, their mean, standard deviation (division by n - 1), minimum and maximum, rounded to four
        digits. `sd` is None for a single value, and all but `n` are None where there is none.

    Examples
    --------
    >>> summarise_spread([0.7, None, 0.9])
    {'n': 2, 'mean': 0.8, 'sd': 0.1414, 'min': 0.7, 'max': 0.9}
    """
    array = np.array([value for value in values if value is not None], float)
    if len(array) == 0:
        return {"n": 0, "mean": None, "sd": None, "min": None, "max": None}
    return {
        "n": len(array),
        "mean": round(float(array.mean()), 4),
        "sd": round(float(array.std(ddof=1)), 4) if len(array) > 1 else None,
        "min": round(float(array.min()), 4),
        "max": round(float(array.max()), 4),
    }
