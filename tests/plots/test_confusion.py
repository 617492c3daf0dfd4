"""Confusion matrices: counts and shares, what a click tells, and what is better or worse than before."""

import numpy as np
import pytest

from bloodcell.plots.confusion import (
    COLUMN_NORMALISED,
    COUNTS,
    ROW_NORMALISED,
    plot_confusion_difference,
    plot_confusion_matrix,
)

NAMES = ("EOSINOPHIL", "<b>odd")
MATRIX = [[3, 1, 0], [2, 2, 0]]  # rows true; all have a prediction
WITH_NONE = [[3, 0, 1], [2, 2, 0]]


def texts(figure):
    return np.array(figure.data[1].text).reshape(2, -1).tolist()


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        (COUNTS, [["3", "1"], ["2", "2"]]),
        (ROW_NORMALISED, [["75.0 %", "25.0 %"], ["50.0 %", "50.0 %"]]),
        (COLUMN_NORMALISED, [["60.0 %", "33.3 %"], ["40.0 %", "66.7 %"]]),
    ],
)
def test_counts_recall_and_precision_by_hand(normalisation, expected):
    figure = plot_confusion_matrix(MATRIX, NAMES, normalisation)
    assert texts(figure) == expected
    # Counts are shaded by the share of their true class.
    shares = [[0.6, 1 / 3], [0.4, 2 / 3]] if normalisation == COLUMN_NORMALISED else [[0.75, 0.25], [0.5, 0.5]]
    np.testing.assert_allclose(figure.data[0].z, shares)


def test_a_click_tells_row_and_column():
    cells = plot_confusion_matrix(MATRIX, NAMES).data[1]
    assert [list(one) for one in cells.customdata] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert list(zip(cells.x, cells.y, strict=True)) == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert cells.hovertext[1].startswith("True Eosinophil, predicted &lt;b&gt;odd: 1 image<br>25.0 % of the true class")
    assert "33.3 % of the predicted class" in cells.hovertext[1]


def test_no_prediction_is_a_column_only_where_there_is_any():
    assert list(plot_confusion_matrix(MATRIX, NAMES).layout.xaxis.ticktext) == ["Eosinophil", "&lt;b&gt;odd"]
    figure = plot_confusion_matrix(WITH_NONE, NAMES)
    assert list(figure.layout.xaxis.ticktext) == ["Eosinophil", "&lt;b&gt;odd", "No prediction"]
    assert figure.data[1].hovertext[2].startswith("True Eosinophil, no prediction: 1 image<br>")
    assert list(figure.data[1].customdata[2]) == [0, 2]


def test_a_class_without_images_has_no_share():
    figure = plot_confusion_matrix([[0, 0, 0], [0, 4, 0]], NAMES, ROW_NORMALISED)
    assert texts(figure) == [["0.0 %", "0.0 %"], ["0.0 %", "100.0 %"]]


def test_titles_of_the_axes():
    layout = plot_confusion_matrix(MATRIX, NAMES).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("Predicted class", "True class")


def test_more_on_the_diagonal_and_fewer_beside_it_are_better():
    figure = plot_confusion_difference(MATRIX, [[4, 0, 0], [3, 1, 0]], NAMES)
    assert texts(figure) == [["+1", "-1"], ["+1", "-1"]]
    # First row: better on and beside the diagonal. Second row: worse on both.
    assert figure.data[0].z.tolist() == [[1, 1], [-1, -1]]
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-1, 1)
    assert figure.data[1].hovertext[0] == "True Eosinophil, predicted Eosinophil: +1 image"


def test_no_prediction_of_either_model_is_a_column_of_the_difference():
    figure = plot_confusion_difference(MATRIX, WITH_NONE, NAMES)
    assert texts(figure) == [["0", "-1", "+1"], ["0", "0", "0"]]
    assert len(plot_confusion_difference(MATRIX, MATRIX, NAMES).data[1].x) == 4
