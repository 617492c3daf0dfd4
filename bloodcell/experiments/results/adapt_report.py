"""What an adaptation came to, read from the comparison that it leaves beside its log."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bloodcell.core.errors import RunError
from bloodcell.model_store.folder import ADAPT_FILE


class Share(NamedTuple):
    """A measured share and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassRecall:
    """Recall of one class on the held-back cells; `before` and `after` are None where none was held back."""

    class_name: str
    before: Share | None
    after: Share | None
    images: int
    source_cells: int


@dataclass(frozen=True)
class Comparison:
    """A model before and after it was adapted, on the same held-back cells.

    model : name of the one before
    balanced, accuracy : before and after
    not_confident : share of the cells that are marked for a look, before and after
    difference : of the balanced accuracies, -1 to 1
    mended, spoiled : cells that only the model after, or only the one before, names rightly
    learned_from, held_back, source_cells : pictures learned from, held back, and source cells of the latter
    old : pictures of the model's own data that were learned too
    thresholds : how those of the statuses were set, in words
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
        """Whether 0 lies in the interval of the difference."""
        return self.difference.low <= 0 <= self.difference.high


def read_comparison(folder: Path) -> Comparison:
    """Read adapt.json of a job's or model's folder; RunError where it is missing or makes no sense."""
    path = folder / ADAPT_FILE
    try:
        return _parse_comparison(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"The comparison {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RunError(f"The comparison {path} is damaged, so before and after cannot be shown.") from error


def _parse_comparison(report: dict[str, Any]) -> Comparison:
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
        recalls=tuple(_parse_recall(name, one, after["recall"][name]) for name, one in before["recall"].items()),
        difference=_parse_share(report, "difference", "difference_interval"),
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
    was, now = (None if one["recall"] is None else _parse_share(one, "recall") for one in (before, after))
    return ClassRecall(name, was, now, int(before["images"]), int(before["source_cells"]))


def _parse_share(part: dict[str, Any], name: str, interval: str = "interval") -> Share:
    low, high = part[interval]
    return Share(_parse_number(part[name]), _parse_number(low), _parse_number(high))


def _parse_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
