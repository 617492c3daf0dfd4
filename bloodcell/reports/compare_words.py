"""A comparison of models in words and in tables of words, on the page and in the report."""

from collections.abc import Sequence
from typing import Any, Final

from bloodcell.evaluation.compare import Comparison, Difference
from bloodcell.evaluation.evaluation_folder import PROB_PREFIX
from bloodcell.plots.theme import format_label

TESTS_HEADER: Final = (
    "Compared",
    "Accuracy",
    "Balanced accuracy",
    "Only the first correct",
    "Only the second correct",
    "McNemar, source cells",
    "McNemar, images",
)
TESTS_NOTE: Final = (
    "Differences in percentage points, with 95 % intervals by paired bootstrap over source cells. McNemar's exact test "
    "over source cells counts each cell once. Over images it counts copies as cells of their own, so its p-value is too "
    "small where there are copies."
)


def format_test_rows(comparisons: Sequence[Comparison]) -> list[tuple[str | int, ...]]:
    """Return the tests of each pair, a row each under `TESTS_HEADER`; counts are numbers."""
    return [
        (
            f"{comparison.second} against {comparison.first}",
            _format_points(comparison.accuracy),
            _format_points(comparison.balanced_accuracy),
            comparison.only_first_correct,
            comparison.only_second_correct,
            f"p = {comparison.p_cells:.3g}",
            f"p = {comparison.p_images:.3g}",
        )
        for comparison in comparisons
    ]


def _format_points(difference: Difference) -> str:
    return f"{100 * difference.value:+.1f} ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"


def describe_prediction(row: Any) -> str:
    """Return what a model predicts for an image, given a row of its prediction table."""
    if not row["prediction"]:
        return "no prediction"
    return f"{format_label(row['prediction'])} {100 * row[PROB_PREFIX + row['prediction']]:.0f} %"
