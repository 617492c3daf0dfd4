"""Compare models on the same images: which is better, and on which images they disagree."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.records import normalise_label
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.metrics.bootstrap import N_DRAWS, percentile_interval, resample_statistic
from bloodcell.evaluation.metrics.class_metrics import compute_class_metrics, count_confusions_by_group
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION

ALL_DISAGREEMENTS: Final = "all disagreements"
ALL_WRONG: Final = "all models wrong"


@dataclass(frozen=True)
class ModelPredictions:
    """A model's predictions on N images.

    Attributes
    ----------
    name : str
        Of the model.
    y_pred : ndarray of int64, shape (N,)
        -1 where there is no prediction.
    """

    name: str
    y_pred: np.ndarray


@dataclass(frozen=True)
class Difference:
    """A metric of the second model minus that of the first.

    Attributes
    ----------
    value, low, high : float
        With its 95 % interval over source cells.
    """

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

    Attributes
    ----------
    first, second : str
        Names of the models.
    accuracy, balanced_accuracy : Difference
        Second minus first.
    only_first_correct, only_second_correct : int
        Images that only one of them predicts correctly.
    p_images : float
        Exact McNemar test over images, as if each showed a cell of its own.
    p_cells : float
        The same over source cells, each counted once: correct if most of its images are.
    n_cells : int
        Source cells.
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
        """The result in one plain sentence."""
        difference = self.accuracy
        if not difference.is_shown:
            return f"These {self.n_cells:,} source cells show no difference: {_format_points(difference)}."
        better = self.second if difference.value > 0 else self.first
        gain = difference if difference.value > 0 else Difference(-difference.value, -difference.high, -difference.low)
        return f"{better} is better: {_format_points(gain)} over {self.n_cells:,} source cells."

    @property
    def pair_sentence(self) -> str:
        """The same, with the names of both, for where several pairs stand below each other."""
        return f"{self.second} against {self.first}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as comparison.json holds it."""
        return {
            "first": self.first,
            "second": self.second,
            "accuracy": asdict(self.accuracy),
            "balanced": asdict(self.balanced_accuracy),
            "only_first": self.only_first_correct,
            "only_second": self.only_second_correct,
            "p_images": self.p_images,
            "p_cells": self.p_cells,
            "n_cells": self.n_cells,
            "sentence": self.pair_sentence,
        }


def compare_predictions(
    y_true: np.ndarray,
    groups: np.ndarray,
    first: ModelPredictions,
    second: ModelPredictions,
    n_classes: int,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same images; no prediction counts as an error.

    The intervals are of a paired bootstrap: source cells are drawn, and with each the predictions of both models.

    Parameters
    ----------
    y_true : ndarray of int64, shape (N,)
    groups : ndarray, shape (N,)
        Source cell of each image.
    first, second : ModelPredictions
    n_classes : int
    n_draws : int, default 2000
        Bootstrap samples.
    seed : int, default 0

    Returns
    -------
    Comparison

    Raises
    ------
    DatasetError
        If there is no image, or the predictions are not on the same ones.
    """
    if len(y_true) == 0 or len(first.y_pred) != len(y_true) or len(second.y_pred) != len(y_true):
        raise DatasetError(
            "Two models are compared on the same images, one or more. Received:"
            f" {len(y_true)} labels, {len(first.y_pred)} and {len(second.y_pred)} predictions."
        )
    number = np.unique(groups, return_inverse=True)[1]
    is_correct = [model.y_pred == y_true for model in (first, second)]
    matrices = np.stack(
        [count_confusions_by_group(y_true, model.y_pred, number, n_classes) for model in (first, second)], axis=1
    )
    draws = resample_statistic(_accuracy_differences, matrices, number, n_draws, seed, strata=y_true)
    differences = _accuracy_differences(matrices.sum(axis=0)[None])[0]
    accuracy, balanced_accuracy = (
        Difference(float(value), *percentile_interval(draws[:, index])) for index, value in enumerate(differences)
    )
    is_cell_correct = [np.bincount(number, correct) / np.bincount(number) > 0.5 for correct in is_correct]
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
    """Compare two evaluations of the same images; the models' classes may differ, and so may capitals.

    Raises
    ------
    DatasetError
        If they are not of the same images with the same labels and source cells.
    """
    tables = [evaluation.prediction_table.sort_values("file") for evaluation in (first, second)]
    labels = [table["label"].map(normalise_label).tolist() for table in tables]
    is_same = all(tables[0][column].tolist() == tables[1][column].tolist() for column in ("file", "source_cell"))
    if not is_same or labels[0] != labels[1]:
        raise DatasetError("Two models are compared on the same images, with the same labels and source cells.")
    names = dict.fromkeys(map(normalise_label, first.class_names + second.class_names))
    number = {name: index for index, name in enumerate(names)} | {"": NO_PREDICTION}

    def encode(evaluation: Evaluation, table: pd.DataFrame) -> ModelPredictions:
        y_pred = np.array([number[normalise_label(name)] for name in table["prediction"]], np.int64)
        return ModelPredictions(evaluation.protocol.model, y_pred)

    y_true = np.array([number[label] for label in labels[0]], np.int64)
    cells = tables[0]["source_cell"].to_numpy()
    return compare_predictions(y_true, cells, encode(first, tables[0]), encode(second, tables[1]), len(names))


def mcnemar_p_value(first_correct: np.ndarray, second_correct: np.ndarray) -> float:
    """Return the two-sided exact McNemar test [1]_: the p-value that two models are correct equally often.

    Parameters
    ----------
    first_correct, second_correct : ndarray of bool, shape (N,)
        On the same images.

    Returns
    -------
    float
        1 where no image tells them apart.

    References
    ----------
    .. [1] McNemar (1947), Psychometrika 12, 153-157; exact by the binomial distribution

    Examples
    --------
    Five images tell the models apart, and all five favour the first: 2 * 0.5^5.

    >>> import numpy as np
    >>> mcnemar_p_value(np.ones(5, bool), np.zeros(5, bool))
    0.0625
    """
    only_first_correct = int((first_correct & ~second_correct).sum())
    only_second_correct = int((second_correct & ~first_correct).sum())
    if only_first_correct + only_second_correct == 0:
        return 1.0
    return float(binomtest(only_first_correct, only_first_correct + only_second_correct).pvalue)


def _accuracy_differences(matrices: np.ndarray) -> np.ndarray:
    """Compute differences of accuracy and balanced accuracy, (samples, 2), of matrices (samples, 2, C, C + 1)."""
    metrics = compute_class_metrics(matrices)
    pairs = (metrics.accuracy, metrics.balanced_accuracy)
    return np.stack([np.diff(pair, axis=-1)[..., 0] for pair in pairs], axis=-1)


def _format_points(difference: Difference) -> str:
    bounds = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    return f"{100 * difference.value:+.1f} points of accuracy (95 % interval {bounds})"


def find_disagreements(evaluations: Sequence[Evaluation]) -> dict[str, list[str]]:
    """Find the images on which several models do not all predict the same; no prediction differs from any class.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of the same images.

    Returns
    -------
    dict of str to list of str
        Files in the order of the first evaluation, by kind: `ALL_DISAGREEMENTS`; "only M correct" for each model M; and
        `ALL_WRONG`.
    """
    tables = [evaluation.prediction_table.set_index("file") for evaluation in evaluations]
    label = tables[0]["label"].map(normalise_label)
    predictions = pd.DataFrame(
        {number: table["prediction"].map(normalise_label).reindex(label.index) for number, table in enumerate(tables)}
    )
    is_correct = predictions.eq(label, axis=0)
    is_alone = is_correct.sum(axis=1) == 1
    by_kind = {ALL_DISAGREEMENTS: label.index[predictions.nunique(axis=1) > 1]}
    for number, evaluation in enumerate(evaluations):
        by_kind[f"only {evaluation.protocol.model} correct"] = label.index[is_alone & is_correct[number]]
    by_kind[ALL_WRONG] = label.index[~is_correct.any(axis=1)]
    return {kind: files.tolist() for kind, files in by_kind.items()}
