"""What follows from the epochs so far: the best, the end, the learning rate; and their table on the disk."""

from dataclasses import replace

import pytest

from bloodcell.training.output.history import (
    HistoryRow,
    append_history,
    compute_plateau_rate,
    find_best_epoch,
    is_over,
    write_history,
)
from tests.training.tiny_run import SPEC


def row(epoch=1, **metrics):
    return HistoryRow(fit=1, epoch=epoch, loss=0.5, accuracy=0.25, rate=0.002, seconds=3, **metrics)


def rows(*losses, name="val_loss"):
    return [row(epoch, **{name: loss}) for epoch, loss in enumerate(losses, 1)]


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("val_loss", (0.9, 0.5, 0.5, 0.7), 2),  # the first of equals
        ("val_accuracy", (0.9, 0.5, 0.9), 1),
        ("val_balanced", (0.1, 0.5, 0.9), 3),
        ("val_loss", (), 0),
    ],
)
def test_the_best_epoch(monitor, values, best):
    assert find_best_epoch(replace(SPEC, monitor=monitor), rows(*values, name=monitor)) == best


def test_nothing_held_out_has_no_best_epoch():
    assert find_best_epoch(SPEC, [row()]) == 0


@pytest.mark.parametrize(
    ("patience", "losses", "over"),
    [
        (0, (0.5, 0.6, 0.7, 0.8), False),
        (2, (0.5, 0.6), False),
        (2, (0.5, 0.6, 0.6), True),
        (2, (0.5, 0.6, 0.4), False),
        (0, (0.5, 0.4, 0.3, 0.2, 0.1), True),  # all epochs done
        (2, (), False),
    ],
)
def test_when_a_fit_is_over(patience, losses, over):
    assert is_over(replace(SPEC, epochs=5, patience=patience), rows(*losses)) is over


@pytest.mark.parametrize(
    ("losses", "rate"),
    [
        ((), 0.1),
        ((0.5, 0.4, 0.3), 0.1),
        ((0.5, 0.6, 0.6), 0.01),  # two epochs in a row brought nothing
        ((0.5, 0.6, 0.6, 0.6), 0.01),
        ((0.5, 0.6, 0.6, 0.6, 0.6), 0.001),
        ((0.5, 0.6, 0.4, 0.6), 0.1),  # the better one in between begins the count anew
    ],
)
def test_the_rate_on_a_plateau(losses, rate):
    spec = replace(SPEC, schedule="reduce on plateau", learning_rate=0.1, rate_factor=0.1, plateau_patience=2)
    assert compute_plateau_rate(spec, rows(*losses)) == pytest.approx(rate)


def test_the_table_grows_by_rows_and_is_written_anew_whole(tmp_path):
    path = tmp_path / "history.csv"
    append_history(path, row())
    append_history(path, row(2, val_loss=1.5, val_accuracy=0.5, val_balanced=0.5))
    assert path.read_text().splitlines() == [
        "fit,epoch,loss,accuracy,val_loss,val_accuracy,val_balanced,rate,seconds",
        "1,1,0.5,0.25,,,,0.002,3",
        "1,2,0.5,0.25,1.5,0.5,0.5,0.002,3",
    ]
    write_history(path, [row()])
    assert path.read_text().splitlines()[1:] == ["1,1,0.5,0.25,,,,0.002,3"]
