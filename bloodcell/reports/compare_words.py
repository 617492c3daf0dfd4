"""Models against each other in words and tables of words, on the page and in the report."""

from collections.abc import Sequence
from typing import Any, Final

from bloodcell.evaluation.compare import Comparison, Difference
from bloodcell.evaluation.evaluation_folder import PROB_PREFIX
from bloodcell.plots.theme import format_label

TESTS_HEADER: Final = (
    "Compared",
    "Right",
    "Classes equal",
    "Only the first right",
    "Only the second right",
    "McNemar, source cells",
    "McNemar, pictures",
)
TESTS_NOTE: Final = (
    "Differences in points, with 95 % intervals by a bootstrap that draws whole source cells, and with each the "
    "answers of both models. McNemar's exact test over source cells counts each cell once; over pictures it takes "
    "copies for cells of their own, so its p-value is too small where there are copies."
)


def format_test_rows(comparisons: Sequence[Comparison]) -> list[tuple[Any, ...]]:
    """The tests of each pair, a row each under `TESTS_HEADER`; counts are numbers."""
    return [
        (
            f"{one.second} against {one.first}",
            _format_points(one.accuracy),
            _format_points(one.balanced_accuracy),
            one.only_first_correct,
            one.only_second_correct,
            f"p = {one.p_cells:.3g}",
            f"p = {one.p_images:.3g}",
        )
        for one in comparisons
    ]


def _format_points(one: Difference) -> str:
    return f"{100 * one.value:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"


def describe_prediction(row: Any) -> str:
    """What a model says of one picture, a row of its answers."""
    if not row["prediction"]:
        return "no answer"
    return f"{format_label(row['prediction']).lower()} {100 * row[PROB_PREFIX + row['prediction']]:.0f} %"
