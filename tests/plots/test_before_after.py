"""Recall before and after: two points a class with their intervals."""

import math

import pandas as pd

from bloodcell.plots.experiments import plot_recall_before_after

NAN = float("nan")
TABLE = pd.DataFrame(
    [("EOSINOPHIL", 4, 0.5, 0.2, 0.8, 0.75, 0.5, 1.0), ("<b>odd", 0, NAN, NAN, NAN, NAN, NAN, NAN)],
    columns=[
        "class_name",
        "n_cells",
        *(f"{when}{end}" for when in ("before", "after") for end in ("", "_low", "_high")),
    ],
)


def test_each_class_has_a_point_before_and_after_with_its_interval():
    before, after = plot_recall_before_after(TABLE).data
    assert (before.name, after.name) == ("before", "after")
    assert (before.x[0], after.x[0]) == (0.5, 0.75)
    assert [round(one.error_x.arrayminus[0], 6) for one in (before, after)] == [0.3, 0.25]
    assert [round(one.error_x.array[0], 6) for one in (before, after)] == [0.3, 0.25]
    assert before.y[0] < after.y[0] < before.y[1]


def test_a_class_without_cells_keeps_its_place_and_names_are_safe():
    figure = plot_recall_before_after(TABLE)
    assert math.isnan(figure.data[0].x[1])
    assert list(figure.layout.yaxis.ticktext) == ["Eosinophil (4)", "&lt;b&gt;odd (0)"]
