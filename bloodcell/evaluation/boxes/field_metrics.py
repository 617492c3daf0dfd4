"""How well a detector finds and counts the cells of labelled fields, each metric with an interval over fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.evaluation.boxes.average_precision import compute_average_precision
from bloodcell.evaluation.boxes.matching import ClassMatch, TrueBoxes, match_class
from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap, percentile_interval, resample_statistic
from bloodcell.inference.detections import Detections

N_MAP_DRAWS: Final = 100  # each computes average precision anew
_DIGITS: Final = 4

Interval = tuple[float, float]


@dataclass(frozen=True)
class ClassMetrics:
    """One class over all fields; in brackets the 95 % interval over fields.

    Attributes
    ----------
    n_true, n_found : int
    ap50 : float
        Average precision at an IoU of 0.5.
    centre_recall : float
        Share of the true boxes that hold the centre of a found one; NaN without true boxes, as are the next two.
    box_recall : float
        Share of the true boxes that a found one meets with an IoU of 0.5 or more.
    count_ratio : float
        Found through true boxes.
    count_error : float
        Mean difference of the counts of a field, without sign.
    false_per_field : float
        Found boxes that hold no true one.
    intervals : dict of str to (float, float)
        Of each of these but the counts and `ap50`.
    """

    n_true: int
    n_found: int
    ap50: float
    centre_recall: float
    box_recall: float
    count_ratio: float
    count_error: float
    false_per_field: float
    intervals: dict[str, Interval]


@dataclass(frozen=True)
class FieldMetrics:
    """A detector on labelled fields.

    Attributes
    ----------
    fields : int
    map50, map50_95 : float
        Means over the classes that occur.
    map50_interval : (float, float)
    by_class : dict of str to ClassMetrics
    matches : tuple of dict
        By field, class name -> `ClassMatch`.
    """

    fields: int
    map50: float
    map50_95: float
    map50_interval: Interval
    by_class: dict[str, ClassMetrics]
    matches: tuple[dict[str, ClassMatch], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as JSON has them, rounded, without the matches of single fields."""
        return {
            "fields": self.fields,
            "map50": _round(self.map50),
            "map50_interval": [_round(end) for end in self.map50_interval],
            "map50_95": _round(self.map50_95),
            "by_class": {name: _describe_class(metrics) for name, metrics in self.by_class.items()},
        }


def measure_fields(
    true: Sequence[TrueBoxes],
    found: Sequence[Detections],
    class_names: Sequence[str],
    thresholds: npt.NDArray[np.floating],
    n_map_draws: int = N_MAP_DRAWS,
) -> FieldMetrics:
    """Measure a detector.

    Parameters
    ----------
    true : sequence of TrueBoxes
        One entry a field.
    found : sequence of Detections
        With low thresholds: average precision takes all, the other metrics those above `thresholds`.
    class_names : sequence of str
    thresholds : ndarray of float, shape (n_classes,)
    n_map_draws : int, default 100
        Bootstrap samples for the interval of mAP50; 0 for none.

    Returns
    -------
    FieldMetrics
    """
    precision = compute_average_precision(true, found, class_names)
    kept = [field.select_sure(thresholds) for field in found]
    matches = tuple(
        {name: match_class(labelled, field, index) for index, name in enumerate(class_names)}
        for labelled, field in zip(true, kept, strict=True)
    )
    interval = (float("nan"), float("nan"))
    if n_map_draws:
        interval = cluster_bootstrap(
            lambda rows: (
                compute_average_precision([true[row] for row in rows], [found[row] for row in rows], class_names).map50
            ),
            np.arange(len(true)),
            n_map_draws,
        )
    by_class = {
        name: _measure_class([match[name] for match in matches], precision.by_class[name]) for name in class_names
    }
    return FieldMetrics(len(true), precision.map50, precision.map50_95, interval, by_class, matches)


def _measure_class(matches: Sequence[ClassMatch], ap50: float) -> ClassMetrics:
    sums = np.array(
        [
            [
                match.n_true,
                match.n_found,
                match.n_centres,
                match.n_matched,
                len(match.false),
                abs(match.n_found - match.n_true),
                1,
            ]
            for match in matches
        ],
        np.float64,
    ).reshape(-1, 7)
    values = _compute_ratios(sums.sum(axis=0)[None])[0]
    draws = resample_statistic(_compute_ratios, sums, np.arange(len(sums)))
    intervals = {name: percentile_interval(draws[:, number]) for number, name in enumerate(_RATIOS)}
    return ClassMetrics(
        n_true=int(sums[:, 0].sum()),
        n_found=int(sums[:, 1].sum()),
        ap50=ap50,
        intervals=intervals,
        **{name: float(value) for name, value in zip(_RATIOS, values, strict=True)},
    )


_RATIOS: Final = ("centre_recall", "box_recall", "count_ratio", "count_error", "false_per_field")


def _compute_ratios(sums: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Compute the metrics of `_RATIOS`, shape (draws, 5), from sums over fields, shape (draws, 7)."""
    n_true, n_found, n_centres, n_matched, n_false, n_off, n_fields = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        per_true = [np.where(n_true > 0, part / n_true, np.nan) for part in (n_centres, n_matched, n_found)]
        return np.stack([*per_true, n_off / n_fields, n_false / n_fields], axis=1)


def _describe_class(metrics: ClassMetrics) -> dict[str, Any]:
    values: dict[str, Any] = {"true": metrics.n_true, "found": metrics.n_found, "ap50": _round(metrics.ap50)}
    for name in _RATIOS:
        values[name] = _round(getattr(metrics, name))
        values[f"{name}_interval"] = [_round(end) for end in metrics.intervals[name]]
    return values


def _round(value: float) -> float | None:
    """Round for JSON, which knows no NaN."""
    return None if np.isnan(value) else round(value, _DIGITS)
