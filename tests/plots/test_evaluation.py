"""Charts of an evaluation: where points, intervals and curves lie."""

import numpy as np
import pandas as pd
import pytest

from bloodcell.evaluation.metrics.reliability import Bin
from bloodcell.evaluation.metrics.report import Metric
from bloodcell.plots import theme
from bloodcell.plots.evaluation import (
    MAX_CURVE_POINTS,
    plot_accuracies,
    plot_metric_intervals,
    plot_precision_recall_curves,
    plot_reliability,
    plot_risk_coverage,
    plot_roc_curves,
)

NAMES = ("EOSINOPHIL", "MONOCYTE")
Y_TRUE = np.array([0, 0, 1, 1])
PROBS = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]])


def test_metrics_have_both_intervals_and_undefined_ones_are_left_out():
    metrics = {
        "Accuracy": Metric(0.8, (0.6, 0.9), (0.7, 0.85)),
        "Recall, Blast": Metric(None),
        "Recall, Monocyte": Metric(0.5),
    }
    images, cells = plot_metric_intervals(metrics).data
    assert (images.name, cells.name) == ("over images", "over source cells")
    assert list(cells.x) == list(images.x) == [0.8, 0.5]
    assert cells.error_x.array == pytest.approx([0.1, 0])
    assert cells.error_x.arrayminus == pytest.approx([0.2, 0])
    assert images.error_x.array == pytest.approx([0.05, 0])
    assert images.error_x.arrayminus == pytest.approx([0.1, 0])
    assert [list(one) for one in cells.customdata] == [["Accuracy", 0.6, 0.9], ["Recall, Monocyte", 0.5, 0.5]]
    layout = plot_metric_intervals(metrics).layout
    assert list(layout.yaxis.ticktext) == ["Accuracy", "Recall, Monocyte"]
    assert len(plot_metric_intervals({}).data[0].x) == 0


def test_accuracies_of_models_in_the_order_of_the_leaderboard():
    table = pd.DataFrame(
        {
            "model": ["<b>first", "second"],
            "accuracy": [0.9, 0.7],
            "accuracy_low": [0.8, np.nan],
            "accuracy_high": [0.95, np.nan],
            "balanced_accuracy": [0.85, 0.75],
            "balanced_accuracy_low": [0.75, 0.7],
            "balanced_accuracy_high": [0.9, 0.8],
        }
    )
    figure = plot_accuracies(table)
    balanced, accuracy = figure.data
    assert (balanced.name, list(balanced.x)) == ("balanced accuracy", [0.85, 0.75])
    assert (accuracy.name, list(accuracy.x)) == ("accuracy", [0.9, 0.7])
    assert accuracy.error_x.array == pytest.approx([0.05, 0])  # no interval is no error bar
    assert accuracy.error_x.arrayminus == pytest.approx([0.1, 0])
    assert balanced.error_x.arrayminus == pytest.approx([0.1, 0.05])
    assert balanced.y[0] < accuracy.y[0] < balanced.y[1]
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;first", "second"]


def test_roc_by_hand():
    """Eosinophil: at 0.9 a true positive, at 0.6 a false one, at 0.4 a true one, at 0.2 a false one."""
    eosinophil, monocyte, diagonal = plot_roc_curves(Y_TRUE, PROBS, NAMES).data
    assert (list(eosinophil.x), list(eosinophil.y)) == ([0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1])
    assert (eosinophil.name, monocyte.name) == ("Eosinophil", "Monocyte")
    assert eosinophil.line.color == theme.CLASS_COLOURS["EOSINOPHIL"]
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    layout = plot_roc_curves(Y_TRUE, PROBS, NAMES).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("False positive rate", "True positive rate")


def test_precision_and_recall_by_hand():
    eosinophil, _ = plot_precision_recall_curves(Y_TRUE, PROBS, NAMES).data
    assert list(eosinophil.x) == [0.5, 0.5, 1, 1]
    assert list(eosinophil.y) == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_a_class_with_all_images_or_none_has_no_curve():
    y_true, probs = np.zeros(4, int), PROBS
    assert plot_precision_recall_curves(y_true, probs, NAMES).data == ()
    assert len(plot_roc_curves(y_true, probs, NAMES).data) == 1  # the diagonal alone


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    y_true, scores = rng.integers(2, size=3000), rng.random(3000)
    curve = plot_roc_curves(y_true, np.stack([1 - scores, scores], axis=1), NAMES).data[0]
    assert len(curve.x) == MAX_CURVE_POINTS
    assert (curve.x[-1], curve.y[-1]) == (1, 1)


def test_reliability_bars_stand_at_the_middle_of_their_bins():
    bars, points, diagonal = plot_reliability([Bin(0.5, 0.75, 10, 0.7, 0.6), Bin(0.75, 1.0, 40, 0.9, 0.8)]).data
    assert (list(bars.x), list(bars.y)) == ([0.625, 0.875], [0.6, 0.8])
    assert (list(points.x), list(points.y)) == ([0.7, 0.9], [0.6, 0.8])
    assert list(points.marker.size) == [6 + 18 * 0.5, 6 + 18]  # 10 images are a quarter of 40: half as wide
    assert [list(one) for one in bars.customdata] == [[10, 0.7, 0.5, 0.75], [40, 0.9, 0.75, 1.0]]
    assert diagonal.line.dash == "dot"
    assert len(plot_reliability([]).data[0].x) == 0


def test_risk_curves_and_points():
    curve, point = plot_risk_coverage(
        {"by probability": (np.array([0.5, 1.0]), np.array([0.0, 0.25]))}, {"Confident images": (0.8, 0.1)}
    ).data
    assert (curve.name, list(curve.x), list(curve.y)) == ("by probability", [0.5, 1.0], [0.0, 0.25])
    assert (point.name, list(point.x), list(point.y), point.marker.symbol) == (
        "Confident images",
        [0.8],
        [0.1],
        "diamond",
    )
