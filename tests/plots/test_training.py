"""Curves of runs: which lines there are, what they are called, and where the epochs stand."""

import pandas as pd

from bloodcell.plots.training import plot_accuracy_curves, plot_loss_curves

HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [1.2, 0.7], "accuracy": [0.4, 0.8], "val_accuracy": [0.3, 0.6]}
)


def test_one_run_has_a_line_for_what_was_learned_and_one_for_what_was_held_out():
    learned, held = plot_loss_curves({"a": HISTORY}).data
    assert (learned.name, list(learned.x), list(learned.y)) == ("learning", [1, 2], [1.0, 0.5])
    assert (held.name, list(held.y)) == ("validation", [1.2, 0.7])
    assert learned.line.color == held.line.color
    assert learned.line.dash != held.line.dash


def test_what_was_not_measured_is_left_out():
    assert [trace.name for trace in plot_accuracy_curves({"a": HISTORY}).data] == ["learning", "validation"]
    blind = HISTORY.assign(val_loss=float("nan"))
    assert [trace.name for trace in plot_loss_curves({"a": blind}).data] == ["learning"]
    assert not plot_loss_curves({"a": pd.DataFrame()}).data


def test_several_runs_are_named_and_differ_by_colour():
    figure = plot_accuracy_curves({"first": HISTORY, "<b>second": HISTORY})
    assert [trace.name for trace in figure.data if trace.showlegend] == ["first", "&lt;b&gt;second"]
    assert "dotted learning, solid validation" in figure.layout.title.subtitle.text
    assert figure.data[0].line.color != figure.data[2].line.color


def test_epochs_are_whole_numbers_however_many():
    assert plot_loss_curves({"a": HISTORY}).layout.xaxis.dtick == 1
    many = pd.DataFrame({"epoch": range(1, 301), "loss": 1.0})
    assert plot_loss_curves({"a": many}).layout.xaxis.dtick == 25  # 300 epochs, 12 ticks
    assert plot_loss_curves({"a": many}).data[0].mode == "lines"
