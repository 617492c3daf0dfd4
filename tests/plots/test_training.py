"""Curves of runs: which lines there are, what they are called, and where the epochs stand."""

import pandas as pd

from bloodcell.plots.training import plot_accuracy_curves, plot_dice_curves, plot_loss_curves

HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [1.2, 0.7], "accuracy": [0.4, 0.8], "val_accuracy": [0.3, 0.6]}
)


def test_one_run_has_a_line_for_training_and_one_for_validation():
    training, validation = plot_loss_curves({"a": HISTORY}).data
    assert (training.name, list(training.x), list(training.y)) == ("training", [1, 2], [1.0, 0.5])
    assert (validation.name, list(validation.y)) == ("validation", [1.2, 0.7])
    assert training.line.color == validation.line.color
    assert training.line.dash != validation.line.dash


def test_what_was_not_measured_is_left_out():
    assert [trace.name for trace in plot_accuracy_curves({"a": HISTORY}).data] == ["training", "validation"]
    blind = HISTORY.assign(val_loss=float("nan"))
    assert [trace.name for trace in plot_loss_curves({"a": blind}).data] == ["training"]
    assert not plot_loss_curves({"a": pd.DataFrame()}).data


def test_several_runs_are_named_and_differ_by_colour():
    figure = plot_accuracy_curves({"first": HISTORY, "<b>second": HISTORY})
    assert [trace.name for trace in figure.data if trace.showlegend] == ["first", "&lt;b&gt;second"]
    assert "dotted: training, solid: validation" in figure.layout.title.subtitle.text
    assert figure.data[0].line.color != figure.data[2].line.color


def test_epochs_are_whole_numbers_however_many():
    assert plot_loss_curves({"a": HISTORY}).layout.xaxis.dtick == 1
    many = pd.DataFrame({"epoch": range(1, 301), "loss": 1.0})
    assert plot_loss_curves({"a": many}).layout.xaxis.dtick == 25  # 300 epochs, 12 ticks
    assert plot_loss_curves({"a": many}).data[0].mode == "lines"


def test_overlap_with_masks_and_balanced_accuracy_have_lines_of_their_own():
    masks = pd.DataFrame({"epoch": [1, 2], "val_dice": [0.5, 0.75], "val_iou": [0.4, 0.6]})
    dice, iou = plot_dice_curves({"a": masks}).data
    assert (dice.name, list(dice.y), iou.name, list(iou.y)) == ("Dice", [0.5, 0.75], "IoU", [0.4, 0.6])
    *_, balanced = plot_accuracy_curves({"a": HISTORY.assign(val_balanced=[0.2, 0.5])}).data
    assert (balanced.name, list(balanced.y)) == ("validation, balanced accuracy", [0.2, 0.5])
