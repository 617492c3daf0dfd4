"""Measure predictions: every metric with its interval over source cells and over images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bloodcell.core.labels import CELL_STATUSES, CONFIDENT
from bloodcell.evaluation.metrics.bootstrap import (
    N_DRAWS,
    draw_weights,
    effective_sample_size,
    percentile_interval,
    resample_statistic,
)
from bloodcell.evaluation.metrics.calibration import expected_calibration_error
from bloodcell.evaluation.metrics.class_metrics import (
    compute_class_metrics,
    count_confusions,
    count_confusions_by_group,
)
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.ranking import average_precision, rank_scores, roc_auc
from bloodcell.evaluation.metrics.report import CLASS_METRICS, ClassReport, EvaluationReport, Metric

# Areas under curves and the calibration error are no sums over images, so each draw goes through all of them.
N_AREA_DRAWS: Final = 400
MIN_PROB: Final = 1e-7
_COUNT_METRICS: Final = ("precision", "recall", "f1")
_AREA_METRICS: Final = ("roc_auc", "average_precision")
_STATUS_METRICS: Final = ("confident_accuracy", "flagged_for_review", "errors_flagged")
_MEANS: Final = tuple(f"{kind}_{metric}" for kind in ("macro", "weighted") for metric in _COUNT_METRICS)
_METRICS: Final = (
    "accuracy",
    "balanced_accuracy",
    "kappa",
    *_MEANS,
    *_AREA_METRICS,
    "log_loss",
    "ece",
    *_STATUS_METRICS,
)


@dataclass(frozen=True)
class _Units:
    """What is drawn for both intervals of a metric: source cells and single images, as numbers from 0, shape (N,)."""

    cells: np.ndarray
    images: np.ndarray

    def resample(self, draw: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return draw(self.cells), draw(self.images)


def compute_report(
    predictions: Predictions, n_draws: int = N_DRAWS, n_area_draws: int = N_AREA_DRAWS
) -> EvaluationReport:
    """Measure a model by its predictions.

    Parameters
    ----------
    predictions : Predictions
        Of one image or more.
    n_draws : int, default 2000
        Bootstrap samples.
    n_area_draws : int, default 400
        Bootstrap samples of the areas under curves and of the calibration error.

    Returns
    -------
    EvaluationReport
        Values are rounded to four digits. The same predictions give the same report.
    """
    cells = np.unique(predictions.groups, return_inverse=True)[1]
    units = _Units(cells, np.arange(len(cells)))
    n_classes = len(predictions.class_names)
    metrics = _measure_confusion(predictions, units, n_draws) | _measure_shares(predictions, units, n_draws)
    metrics |= _measure_areas(predictions, units, n_area_draws) | _measure_calibration(predictions, units, n_area_draws)
    support = np.bincount(predictions.y_true, minlength=n_classes)
    return EvaluationReport(
        n_images=len(cells),
        n_source_cells=int(cells.max()) + 1,
        effective_sample_size=round(effective_sample_size(cells), 1),
        n_without_prediction=int((predictions.y_pred == NO_PREDICTION).sum()),
        metrics={name: metrics[name] for name in _METRICS},
        classes={
            name: ClassReport(
                int(support[index]),
                len(np.unique(cells[predictions.y_true == index])),
                **{metric: metrics[f"{metric} {index}"] for metric in CLASS_METRICS},
            )
            for index, name in enumerate(predictions.class_names)
        },
        vote_accuracy=_measure_votes(predictions, cells, n_draws),
        status_counts={name: int((predictions.status == name).sum()) for name in CELL_STATUSES},
        confusion=count_confusions(predictions.y_true, predictions.y_pred, n_classes).tolist(),
    )


def summarise_metrics(predictions: Predictions, n_draws: int = N_DRAWS) -> dict[str, Any]:
    """Measure predictions and return what metrics.json holds, as `EvaluationReport.summarise` describes it.

    Parameters
    ----------
    predictions : Predictions
    n_draws : int, default 2000
        Bootstrap samples.

    Returns
    -------
    dict of str to Any
    """
    return compute_report(predictions, n_draws, min(n_draws, N_AREA_DRAWS)).summarise()


def _make_metrics(
    names: list[str], values: np.ndarray, cell_draws: np.ndarray, image_draws: np.ndarray | None = None
) -> dict[str, Metric]:
    """Make metrics of values (M,) and their draws (n_draws, M)."""
    return {
        name: Metric(
            _round_finite(values[index]),
            *(
                _round_interval(percentile_interval(draws[:, index]))
                for draws in (cell_draws, image_draws)
                if draws is not None
            ),
        )
        for index, name in enumerate(names)
    }


def _measure_confusion(predictions: Predictions, units: _Units, n_draws: int) -> dict[str, Metric]:
    """Measure what follows from the confusion matrix."""
    true, pred, n_classes = predictions.y_true, predictions.y_pred, len(predictions.class_names)
    names = ["accuracy", "balanced_accuracy", "kappa", *_MEANS]
    names += [f"{metric} {index}" for metric in _COUNT_METRICS for index in range(n_classes)]

    def draw(groups: np.ndarray) -> np.ndarray:
        matrices = count_confusions_by_group(true, pred, groups, n_classes)
        return resample_statistic(_stack_class_metrics, matrices, groups, n_draws, strata=true)

    matrix = count_confusions(true, pred, n_classes)
    return _make_metrics(names, _stack_class_metrics(matrix[None])[0], *units.resample(draw))


def _stack_class_metrics(matrices: np.ndarray) -> np.ndarray:
    """Stack the metrics of matrices (samples, C, C + 1) to (samples, M), in the order of `_measure_confusion`."""
    metrics = compute_class_metrics(matrices)
    overall = np.stack([metrics.accuracy, metrics.balanced_accuracy, metrics.kappa], axis=-1)
    parts = (overall, metrics.macro, metrics.weighted, metrics.precision, metrics.recall, metrics.f1)
    return np.concatenate(parts, axis=-1)


def _measure_shares(predictions: Predictions, units: _Units, n_draws: int) -> dict[str, Metric]:
    """Measure means over some of the images: log loss of those with a prediction, and what the statuses flag."""
    is_image = np.ones(len(predictions.y_true), bool)
    has_prediction, is_confident = predictions.y_pred != NO_PREDICTION, predictions.status == CONFIDENT
    is_error = predictions.y_pred != predictions.y_true
    true_probs = predictions.probs[np.arange(len(is_image)), predictions.y_true].astype(float)
    loss = np.where(has_prediction, -np.log(np.clip(true_probs, MIN_PROB, 1.0)), 0.0)
    names = ["log_loss", *_STATUS_METRICS]
    parts = [loss, is_confident & ~is_error, ~is_confident, is_error & ~is_confident]
    wholes = [has_prediction, is_confident, is_image, is_error]

    def shares(sums: np.ndarray) -> np.ndarray:
        part, whole = sums[:, : len(names)], sums[:, len(names) :]
        ratio: np.ndarray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
        return ratio

    def sum_by_group(groups: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(groups, values) for values in (*parts, *wholes)], axis=1)

    def draw(groups: np.ndarray) -> np.ndarray:
        return resample_statistic(shares, sum_by_group(groups), groups, n_draws, strata=predictions.y_true)

    return _make_metrics(names, shares(sum_by_group(units.cells).sum(axis=0)[None])[0], *units.resample(draw))


def _measure_votes(predictions: Predictions, cells: np.ndarray, n_draws: int) -> Metric:
    """Measure the share of source cells whose largest summed probability is that of the true class of most images."""
    summed = np.zeros((cells.max() + 1, len(predictions.class_names)))
    true = np.zeros_like(summed)
    np.add.at(summed, cells, predictions.probs)
    np.add.at(true, (cells, predictions.y_true), 1)
    is_correct = (summed.argmax(axis=1) == true.argmax(axis=1)) & (summed.sum(axis=1) > 0)
    draws = resample_statistic(
        lambda sums: sums / len(is_correct), is_correct.astype(float)[:, None], np.arange(len(is_correct)), n_draws
    )
    return _make_metrics(["votes"], np.array([is_correct.mean()]), draws)["votes"]


def _measure_areas(predictions: Predictions, units: _Units, n_draws: int) -> dict[str, Metric]:
    """Measure the areas under the ROC and precision-recall curves: of each class against the others, and their means."""
    n_classes, true = len(predictions.class_names), predictions.y_true
    rankings = [rank_scores(true == index, predictions.probs[:, index]) for index in range(n_classes)]
    names = [*_AREA_METRICS, *(f"{metric} {index}" for metric in _AREA_METRICS for index in range(n_classes))]

    def areas(weights: np.ndarray) -> np.ndarray:
        roc = np.stack([roc_auc(ranking, weights) for ranking in rankings], axis=1)
        precision = np.stack([average_precision(ranking, weights) for ranking in rankings], axis=1)
        return np.concatenate([_average_finite(roc), _average_finite(precision), roc, precision], axis=1)

    def draw(groups: np.ndarray) -> np.ndarray:
        return _resample_images(areas, groups, true, n_draws)

    return _make_metrics(names, areas(np.ones((1, len(true))))[0], *units.resample(draw))


def _average_finite(values: np.ndarray) -> np.ndarray:
    """Average (samples, C) over the classes that have a value, to (samples, 1); NaN where none has."""
    is_finite = np.isfinite(values)
    total = np.where(is_finite, values, 0.0).sum(axis=1, keepdims=True)
    n_finite = is_finite.sum(axis=1, keepdims=True)
    average: np.ndarray = np.divide(total, n_finite, out=np.full(total.shape, np.nan), where=n_finite > 0)
    return average


def _measure_calibration(predictions: Predictions, units: _Units, n_draws: int) -> dict[str, Metric]:
    """Measure the expected calibration error of the images with a prediction."""
    has_prediction = predictions.y_pred != NO_PREDICTION
    true, probs = predictions.y_true, predictions.probs

    def errors(weights: np.ndarray) -> np.ndarray:
        samples = [np.repeat(np.flatnonzero(has_prediction), each[has_prediction].astype(int)) for each in weights]
        values = [expected_calibration_error(true[rows], probs[rows]) if len(rows) else np.nan for rows in samples]
        return np.array(values)[:, None]

    def draw(groups: np.ndarray) -> np.ndarray:
        return _resample_images(errors, groups, true, n_draws)

    return _make_metrics(["ece"], errors(np.ones((1, len(true))))[0], *units.resample(draw))


def _resample_images(
    metric: Callable[[np.ndarray], np.ndarray], groups: np.ndarray, strata: np.ndarray, n_draws: int
) -> np.ndarray:
    """Draw values of a metric that takes how often every image counts, (samples, N)."""
    batches = [
        metric(batch[:, groups])
        for weights in draw_weights(groups, n_draws, strata=strata)
        for batch in np.array_split(weights, -(-len(weights) // 50))
    ]
    return np.concatenate(batches)


def _round_finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _round_interval(bounds: tuple[float, float]) -> tuple[float, float] | None:
    low, high = map(_round_finite, bounds)
    return None if low is None or high is None else (low, high)
