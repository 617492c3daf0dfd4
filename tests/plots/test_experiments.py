"""Charts of many runs: where the dots and lines are, and what is marked."""

import math

import pandas as pd

from bloodcell.plots.experiments import (
    format_setting,
    plot_recall_before_after,
    plot_runs,
    plot_search_progress,
    plot_setting_effect,
)

RUNS = pd.DataFrame(
    {
        "trial": [1, 2, 3],
        "accuracy": [0.9, 0.8, 0.2],
        "balanced_accuracy": [0.9, 0.7, 0.25],
        "converged": [True, True, False],
    }
)
MEANS = {"accuracy": 0.6333, "balanced_accuracy": 0.6167}
SEARCHED = pd.DataFrame(
    {
        "trial": [1, 2, 3, 4, 5],
        "state": ["done", "given up", "done", "diverged", "done"],
        "log_loss": [0.9, None, 0.4, None, 0.6],
        "learning_rate": [1e-3, 1e-4, 2e-3, 1e-2, 3e-3],
        "scaling": ["255", "255", "-1..1", "channel", "255"],
        "epochs": [5, 2, 5, 5, 5],
    }
)


def test_a_dot_for_each_run_and_metric_beside_each_other():
    right, wrong, balanced, wrong_balanced = plot_runs(RUNS, "Trial", MEANS).data
    assert (list(right.y), list(wrong.y)) == ([0.9, 0.8], [0.2])
    assert (list(balanced.y), list(wrong_balanced.y)) == ([0.9, 0.7], [0.25])
    assert (right.marker.symbol, wrong.marker.symbol) == ("circle", "circle-open")
    assert wrong.name == "Accuracy, did not converge"
    assert list(right.customdata) == [1, 2]
    assert right.x[0] < 1 < balanced.x[0]


def test_the_means_are_lines_and_an_interval_is_a_band():
    lines = plot_runs(RUNS, "Trial", MEANS).layout.shapes
    assert [one.y0 for one in lines] == [0.6333, 0.6167]
    parts = RUNS.rename(columns={"trial": "part"}).drop(columns="converged")
    figure = plot_runs(parts, "Part", MEANS, "all cells", (0.5, 0.75))
    band, *_ = figure.layout.shapes
    assert (band.type, band.y0, band.y1) == ("rect", 0.5, 0.75)
    assert [trace.name for trace in figure.data] == ["Accuracy", "Balanced accuracy"]
    assert "dashed: all cells" in figure.layout.title.text


def test_the_best_so_far_never_gets_worse_and_trials_without_a_metric_are_marked_below():
    dots, best, *marks = plot_search_progress(SEARCHED, "log_loss", is_minimised=True).data
    assert (list(dots.x), list(dots.y)) == ([1, 3, 5], [0.9, 0.4, 0.6])
    assert list(best.y) == [0.9, 0.4, 0.4]
    assert [(list(one.x), list(one.y), one.yaxis) for one in marks] == [
        ([2], ["given up"], "y2"),
        ([4], ["diverged"], "y2"),
    ]
    _, best, *_ = plot_search_progress(SEARCHED, "log_loss", is_minimised=False).data
    assert list(best.y) == [0.9, 0.9, 0.9]


def test_a_search_in_which_every_trial_has_a_metric_has_no_marks():
    assert len(plot_search_progress(SEARCHED.dropna(), "log_loss", is_minimised=True).data) == 2


def test_a_setting_against_the_figure():
    figure = plot_setting_effect(
        SEARCHED, "learning_rate", "Learning rate", "log_loss", 3, {"low": 1e-4, "high": 1e-2, "log": True}
    )
    (dots,) = figure.data
    assert (list(dots.x), list(dots.y)) == ([1e-3, 2e-3, 3e-3], [0.9, 0.4, 0.6])
    assert list(dots.marker.symbol) == ["circle", "star", "circle"]
    assert figure.layout.xaxis.type == "log"


def test_choices_stand_side_by_side_tried_or_not():
    choices = {"choices": ["-1..1", "255", "channel"]}
    figure = plot_setting_effect(SEARCHED, "scaling", "Scaling", "log_loss", 3, choices)
    assert list(figure.data[0].x) == ["255", "-1..1", "255"]
    assert figure.layout.xaxis.type == "category"
    assert list(figure.layout.xaxis.categoryarray) == ["-1..1", "255", "channel"]


def test_values_in_words():
    assert [format_setting(one) for one in ([8, 12], 0.001234, 64, "sgd")] == ["8, 12", "0.00123", "64", "sgd"]


NAN = float("nan")
RECALLS = pd.DataFrame(
    [("EOSINOPHIL", 4, 0.5, 0.2, 0.8, 0.75, 0.5, 1.0), ("<b>odd", 0, NAN, NAN, NAN, NAN, NAN, NAN)],
    columns=[
        "class_name",
        "n_cells",
        *(f"{when}{end}" for when in ("before", "after") for end in ("", "_low", "_high")),
    ],
)


def test_each_class_has_a_point_before_and_after_with_its_interval():
    before, after = plot_recall_before_after(RECALLS).data
    assert (before.name, after.name) == ("before", "after")
    assert (before.x[0], after.x[0]) == (0.5, 0.75)
    assert [round(one.error_x.arrayminus[0], 6) for one in (before, after)] == [0.3, 0.25]
    assert [round(one.error_x.array[0], 6) for one in (before, after)] == [0.3, 0.25]
    assert before.y[0] < after.y[0] < before.y[1]


def test_a_class_without_cells_keeps_its_place_and_names_are_safe():
    figure = plot_recall_before_after(RECALLS)
    assert math.isnan(figure.data[0].x[1])
    assert list(figure.layout.yaxis.ticktext) == ["Eosinophil (4)", "&lt;b&gt;odd (0)"]
