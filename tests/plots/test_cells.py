"""Charts of labels and probabilities: what stands in fig.data."""

import pandas as pd

from bloodcell.plots import theme
from bloodcell.plots.cells import plot_class_counts, plot_probabilities

CLASSES = ("EOSINOPHIL", "LYMPHOCYTE")


def cells(*pairs):
    return pd.DataFrame(pairs, columns=["label", "status"])


def bars(figure):
    return {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data if trace.type == "bar"}


def test_class_counts_splits_by_status():
    table = cells(
        ("EOSINOPHIL", "confident"),
        ("EOSINOPHIL", "confident"),
        ("EOSINOPHIL", "check"),
        ("LYMPHOCYTE", "unfamiliar"),
    )
    assert bars(plot_class_counts(table, CLASSES)) == {
        "✓ Confident": {"Eosinophil": 2, "Lymphocyte": 0},
        "? Check": {"Eosinophil": 1, "Lymphocyte": 0},
        "! Unfamiliar": {"Eosinophil": 0, "Lymphocyte": 1},
    }


def test_class_counts_writes_the_sum_behind_each_bar():
    figure = plot_class_counts(cells(("LYMPHOCYTE", "check"), ("LYMPHOCYTE", "confident")), CLASSES)
    assert [text.strip() for text in figure.data[-1].text] == ["0", "2"]


def test_class_counts_of_no_cells_shows_every_class_with_zero():
    assert bars(plot_class_counts(cells(), CLASSES))["? Check"] == {"Eosinophil": 0, "Lymphocyte": 0}


def test_class_counts_shows_an_extra_decision_only_where_a_cell_has_it():
    figure = plot_class_counts(cells(("NOT_A_CELL", "check")), CLASSES)
    assert list(figure.data[0].y) == ["Eosinophil", "Lymphocyte", "Not a white cell"]


def test_probabilities_in_the_models_order_with_the_label_bold():
    bar = plot_probabilities(CLASSES, (0.25, 0.75), "LYMPHOCYTE").data[0]
    assert list(bar.y) == ["Eosinophil", "<b>Lymphocyte</b>"]
    assert list(bar.x) == [0.25, 0.75]
    assert list(bar.text) == ["25.0 %", "75.0 %"]
    assert list(bar.marker.color) == [theme.CLASS_COLOURS[name] for name in CLASSES]


def test_a_label_that_is_no_class_of_the_model_makes_no_name_bold():
    bar = plot_probabilities(CLASSES, (0.25, 0.75), "NOT_A_CELL").data[0]
    assert list(bar.y) == ["Eosinophil", "Lymphocyte"]
