"""The comparison of a model before and after its adaptation: made, stored beside the log, and read back for pages."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np

from bloodcell.core.errors import RunError
from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap
from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.model_store.folder import ADAPT_FILE
from bloodcell.training.specs.adapt_spec import ACCEPTANCE_RULE


class ModelComparison(TypedDict):
    """Two models on the same held-out cells: the part of adapt.json that follows from their predictions.

    `before` and `after` are `evaluation.metrics.measure.summarise_metrics`. `difference` is of the balanced accuracies,
    its 95 % interval over source cells. `mended` and `spoiled` count the cells that only the second, or only the first,
    model classifies correctly.
    """

    kind: Literal["adapt"]
    rule: str
    is_better: bool
    before: dict[str, Any]
    after: dict[str, Any]
    difference: float
    difference_interval: list[float]
    may_be_chance: bool
    mended: int
    spoiled: int


class AdaptCells(TypedDict):
    """The cells of an adaptation: new ones trained on and held out, and those of the original data (`old`)."""

    learned_from: int
    held_back: int
    held_back_source_cells: int
    none_held_back_of: list[str]
    old: int


class AdaptReport(ModelComparison):
    """The contents of adapt.json; `thresholds` says in words how those of the adapted model were set."""

    model: str
    model_sha256: str
    cells: AdaptCells
    thresholds: str
    seconds: int


def compare_models(before: Predictions, after: Predictions, n_draws: int = 2000) -> ModelComparison:
    """Compare two models on the same cells, and decide by `adapt_spec.ACCEPTANCE_RULE` whether the second is better.

    Parameters
    ----------
    before, after : Predictions
        Of the same cells, in the same order.
    n_draws : int, default 2000
        Bootstrap samples.

    Returns
    -------
    ModelComparison
    """
    y_true = before.y_true
    was_correct, is_correct = before.y_pred == y_true, after.y_pred == y_true

    def compute_gain(rows: np.ndarray) -> float:
        accuracy_before = balanced_accuracy(y_true[rows], before.y_pred[rows])
        return balanced_accuracy(y_true[rows], after.y_pred[rows]) - accuracy_before

    gain = compute_gain(np.arange(len(y_true)))
    low, high = cluster_bootstrap(compute_gain, before.groups, n_draws, strata=y_true)
    return {
        "kind": "adapt",
        "rule": ACCEPTANCE_RULE,
        "is_better": bool(gain > 0),
        "before": summarise_metrics(before, n_draws),
        "after": summarise_metrics(after, n_draws),
        "difference": round(gain, 4),
        "difference_interval": [round(low, 4), round(high, 4)],
        "may_be_chance": bool(low <= 0),
        "mended": int((is_correct & ~was_correct).sum()),
        "spoiled": int((was_correct & ~is_correct).sum()),
    }


class Share(NamedTuple):
    """A measured share and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassRecall:
    """Recall of one class on the held-out cells; `before` and `after` are None if none was held out."""

    class_name: str
    before: Share | None
    after: Share | None
    images: int
    source_cells: int


@dataclass(frozen=True)
class Comparison:
    """A model before and after its adaptation, on the same held-out cells, as pages show it.

    Attributes
    ----------
    model : str
        Name of the original model.
    is_better : bool
        Whether the adapted model was accepted.
    balanced, accuracy : tuple of two Share
        Balanced accuracy and accuracy, before and after.
    flagged_share : tuple of two float
        Share of the cells that is flagged for review, before and after.
    recalls : tuple of ClassRecall
        In the order of the classes.
    difference : Share
        Of the balanced accuracies, -1 to 1.
    mended, spoiled : int
        Cells that only the adapted, or only the original, model classifies correctly.
    trained_on, held_out : int
        New cells trained on, and held out.
    source_cells : int
        Source cells that were held out.
    old : int
        Cells of the model's original data that were trained on too.
    thresholds : str
        How the thresholds of the statuses were set, in words.
    seconds : float
        Duration of the adaptation.
    """

    model: str
    is_better: bool
    balanced: tuple[Share, Share]
    accuracy: tuple[Share, Share]
    flagged_share: tuple[float, float]
    recalls: tuple[ClassRecall, ...]
    difference: Share
    mended: int
    spoiled: int
    trained_on: int
    held_out: int
    source_cells: int
    old: int
    thresholds: str
    seconds: float

    @property
    def may_be_chance(self) -> bool:
        """Whether 0 is in the interval of the difference."""
        return self.difference.low <= 0 <= self.difference.high


def read_comparison(folder: Path) -> Comparison:
    """Read adapt.json in the folder of a job or model; RunError if it is missing or damaged."""
    path = folder / ADAPT_FILE
    try:
        return _parse_comparison(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"The comparison {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RunError(f"The comparison {path} is damaged, so before and after cannot be shown.") from error


def _parse_comparison(report: AdaptReport) -> Comparison:
    before, after, cells = report["before"], report["after"], report["cells"]
    return Comparison(
        model=str(report["model"]),
        is_better=bool(report["is_better"]),
        balanced=(
            _parse_share(before, "balanced_accuracy", "balanced_interval"),
            _parse_share(after, "balanced_accuracy", "balanced_interval"),
        ),
        accuracy=(_parse_share(before, "accuracy", "interval"), _parse_share(after, "accuracy", "interval")),
        flagged_share=(_parse_number(before["held_back"]), _parse_number(after["held_back"])),
        recalls=tuple(_parse_recall(name, part, after["recall"][name]) for name, part in before["recall"].items()),
        difference=_parse_share(dict(report), "difference", "difference_interval"),
        mended=int(report["mended"]),
        spoiled=int(report["spoiled"]),
        trained_on=int(cells["learned_from"]),
        held_out=int(cells["held_back"]),
        source_cells=int(cells["held_back_source_cells"]),
        old=int(cells["old"]),
        thresholds=str(report["thresholds"]),
        seconds=_parse_number(report["seconds"]),
    )


def _parse_recall(name: str, before: dict[str, Any], after: dict[str, Any]) -> ClassRecall:
    was, now = (None if part["recall"] is None else _parse_share(part, "recall") for part in (before, after))
    return ClassRecall(name, was, now, int(before["images"]), int(before["source_cells"]))


def _parse_share(part: dict[str, Any], name: str, interval: str = "interval") -> Share:
    low, high = part[interval]
    return Share(_parse_number(part[name]), _parse_number(low), _parse_number(high))


def _parse_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
