"""Several runs of one spec that differ in their seed: their settings, when one has converged, their spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bloodcell.core.spec import Spec, require_range
from bloodcell.training.specs.train_checks import require_held_out_fold
from bloodcell.training.specs.train_spec import TrainSpec

MAX_TRIALS = 200
# A trial has left chance behind once it came this part of the way from there to 1 ...
MIN_GAIN_SHARE = 0.25
# ... and its training loss fell to this part of the first epoch's.
MAX_LOSS_RATIO = 0.9


@dataclass(frozen=True)
class TrialsSpec(Spec):
    """Runs of `train` with its seed and the ones after it, `n` of them, judged on the cells of its fold.

    Raises
    ------
    SpecError
        If `n` is not from 2 to 200, or nothing is held out to judge the runs on.
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
        """The seed of each trial."""
        return [self.train.seed + number for number in range(self.n)]

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take a training spec alone for trials of it."""
        return values if "train" in values else {"train": values}


def compute_min_balanced(n_classes: int) -> float:
    """The balanced accuracy that a converged trial has at least.

    A network that always says the same, or guesses, has 1 / n_classes: chance. Asked for is a quarter of the way from
    there to 1, so 0.4375 for four classes.
    """
    return 1 / n_classes + MIN_GAIN_SHARE * (1 - 1 / n_classes)


def has_converged(balanced: float, losses: Sequence[float], n_classes: int) -> bool:
    """Whether a trial has converged, by the rule of `describe_convergence_rule`.

    Parameters
    ----------
    balanced : balanced accuracy on validation at the end
    losses : training loss of each epoch, in order; empty for a network that is not taught by steps, of which only the
        first condition is asked. With one epoch there is no earlier loss to be below, so that it has not converged.
    """
    if not balanced >= compute_min_balanced(n_classes):
        return False
    if not len(losses):
        return True
    return math.isfinite(losses[-1]) and losses[-1] <= MAX_LOSS_RATIO * losses[0] and len(losses) > 1


def describe_convergence_rule(n_classes: int) -> str:
    """The rule of convergence, for people."""
    return (
        f"A trial has converged if at its end the balanced accuracy on validation is at least"
        f" {compute_min_balanced(n_classes):.4f} (a quarter of the way from chance, 1/{n_classes}, to 1), and the training loss"
        f" of its last epoch is at most {MAX_LOSS_RATIO:g} of that of its first."
    )


def summarise_spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean, standard deviation (division by n - 1), least and most of numbers; sd None for one, all None for none.

    None among `values` stands for a trial that has no such figure; n says how many have.
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
