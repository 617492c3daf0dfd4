"""Is one model better than another on the same images?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.layouts import normalise_label
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.metrics.class_metrics import compute_class_metrics, count_confusions_by_group
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION
from bloodcell.evaluation.metrics.resampling import N_DRAWS, percentile_interval, resample_statistic


@dataclass(frozen=True)
class ModelPredictions:
    """A model's answers on N images.

    name : of the model
    y_pred : int64 (N,), -1 where not answered
    """

    name: str
    y_pred: np.ndarray


@dataclass(frozen=True)
class Difference:
    """A figure of the second model minus that of the first, with its 95 % interval over source cells."""

    value: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out no difference."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images.

    accuracy, balanced : Difference, second minus first
    only_first, only_second : images that only one of them has right
    p_images : exact McNemar test over images, as if copies were cells of their own
    p_cells : the same over source cells, each counted once: right if most of its images are
    n_cells : source cells
    """

    first: str
    second: str
    accuracy: Difference
    balanced_accuracy: Difference
    only_first_correct: int
    only_second_correct: int
    p_images: float
    p_cells: float
    n_cells: int

    @property
    def sentence(self) -> str:
        """What it comes to, for people."""
        one = self.accuracy
        if not one.is_shown:
            return f"No difference is shown by these {self.n_cells:,} source cells ({_format_points(one)})."
        better = self.second if one.value > 0 else self.first
        shown = one if one.value > 0 else Difference(-one.value, -one.high, -one.low)
        return f"{better} is better: {_format_points(shown)} over {self.n_cells:,} source cells."

    @property
    def pair_sentence(self) -> str:
        """The same, with the names of both, for where several pairs stand below each other."""
        return f"{self.second} against {self.first}: {self.sentence}"


def compare_predictions(
    y_true: np.ndarray,
    groups: np.ndarray,
    first: ModelPredictions,
    second: ModelPredictions,
    n_classes: int,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the images that both were asked about; not answered counts as wrong.

    The interval is of a paired bootstrap: source cells are drawn, and with each the answers of both models.

    Parameters
    ----------
    y_true : int64 (N,)
    groups : (N,), source cell of each image
    first, second : Answers

    Raises
    ------
    DatasetError
        If there is no image, or the answers are not on the same ones.
    """
    if len(y_true) == 0 or len(first.y_pred) != len(y_true) or len(second.y_pred) != len(y_true):
        raise DatasetError(
            "Two models are compared on the same images, one or more. Received:"
            f" {len(y_true)} labels, {len(first.y_pred)} and {len(second.y_pred)} answers."
        )
    number = np.unique(groups, return_inverse=True)[1]
    is_correct = [one.y_pred == y_true for one in (first, second)]
    both = np.stack(
        [count_confusions_by_group(y_true, one.y_pred, number, n_classes) for one in (first, second)], axis=1
    )
    draws = resample_statistic(_accuracy_differences, both, number, n_draws, seed, strata=y_true)
    measured = _accuracy_differences(both.sum(axis=0)[None])[0]
    accuracy, balanced_accuracy = (
        Difference(float(measured[which]), *percentile_interval(draws[:, which])) for which in range(measured.shape[0])
    )
    is_cell_correct = [np.bincount(number, one) / np.bincount(number) > 0.5 for one in is_correct]
    return Comparison(
        first.name,
        second.name,
        accuracy,
        balanced_accuracy,
        int((is_correct[0] & ~is_correct[1]).sum()),
        int((is_correct[1] & ~is_correct[0]).sum()),
        mcnemar_p_value(*is_correct),
        mcnemar_p_value(*is_cell_correct),
        len(is_cell_correct[0]),
    )


def compare_evaluations(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two evaluations of the same pictures; the models' classes may differ, as capitals may.

    Raises
    ------
    DatasetError
        If they are not of the same pictures with the same labels and source cells.
    """
    one, two = (each.answers.sort_values("file") for each in (first, second))
    labels = [table["label"].map(normalise_label).tolist() for table in (one, two)]
    is_same = all(one[column].tolist() == two[column].tolist() for column in ("file", "source_cell"))
    if not is_same or labels[0] != labels[1]:
        raise DatasetError("Two models are compared on the same pictures, with the same labels and source cells.")
    number = {
        name: at for at, name in enumerate(dict.fromkeys(map(normalise_label, first.class_names + second.class_names)))
    }
    number[""] = NO_PREDICTION

    def answers(evaluation: Evaluation, table: pd.DataFrame) -> ModelPredictions:
        y_pred = np.array([number[normalise_label(said)] for said in table["prediction"]], np.int64)
        return ModelPredictions(evaluation.protocol["model"], y_pred)

    y_true = np.array([number[label] for label in labels[0]], np.int64)
    cells = one["source_cell"].to_numpy()
    return compare_predictions(y_true, cells, answers(first, one), answers(second, two), len(number) - 1)


def mcnemar_p_value(first_correct: np.ndarray, second_correct: np.ndarray) -> float:
    """Two-sided exact McNemar test [1]_: the p-value that two models are right equally often.

    Parameters
    ----------
    first_right, second_right : bool arrays of shape (N,), on the same images

    Returns
    -------
    float, 1 where no image tells them apart

    References
    ----------
    .. [1] McNemar (1947), Psychometrika 12, 153-157; exact by the binomial distribution
    """
    only_first_correct = int((first_correct & ~second_correct).sum())
    only_second_correct = int((second_correct & ~first_correct).sum())
    if only_first_correct + only_second_correct == 0:
        return 1.0
    return float(binomtest(only_first_correct, only_first_correct + only_second_correct).pvalue)


def _accuracy_differences(both: np.ndarray) -> np.ndarray:
    """Differences of accuracy and of balanced accuracy, (samples, 2), of matrices (samples, 2, C, C + 1)."""
    found = compute_class_metrics(both)
    return np.stack([np.diff(each, axis=-1)[..., 0] for each in (found.accuracy, found.balanced_accuracy)], axis=-1)


def _format_points(one: Difference) -> str:
    return f"{100 * one.value:+.1f} points [{100 * one.low:.1f}, {100 * one.high:.1f}]"
