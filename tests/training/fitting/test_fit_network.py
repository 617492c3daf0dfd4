"""Fits that are stopped, resume, end early and keep their best checkpoint; on crops of noise, so quickly."""

import json

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, RunError, StoppedError
from bloodcell.core.io import write_atomic
from bloodcell.core.progress import Control
from bloodcell.training.fitting import checkpoint
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.checkpoint import hash_samples, open_checkpoints
from bloodcell.training.fitting.fit_network import fit_network
from tests.training.samples.test_samples import samples, spec
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = [*FOREIGN_WARNINGS, pytest.mark.usefixtures("without_graphs")]
STORED_ROW = {"fit": 1, "epoch": 1, "loss": 1.0, "accuracy": 0.5, "rate": 0.1, "seconds": 1}
TRAINING, HELD_OUT = samples([0, 1] * 8), samples([1, 0] * 4)


class Watch(Control):
    """Keeps what it is told; stops at batch `stop_at`, counted over all epochs."""

    def __init__(self, stop_at=0):
        self.stop_at, self.batches = stop_at, 0
        self.lines, self.rows, self.told = [], [], []

    def on_batch(self, at):
        self.told.append(at)

    def on_epoch(self, row):
        self.rows.append(row)

    def log(self, line):
        self.lines.append(line)

    def should_stop(self):
        self.batches += 1
        return self.batches == self.stop_at


def open_context(folder, settings, control=None, training_samples=TRAINING):
    (folder / "s").mkdir(exist_ok=True)
    (folder / "s" / "1.png").touch()
    checkpoints = open_checkpoints(folder / "checkpoint", settings, training_samples)
    return RunContext(control or Watch(), checkpoints, folder / "history.csv", folder, fits=1)


def weights(model):
    return [np.asarray(value) for value in model.get_weights()]


def test_a_fit_stopped_in_mid_epoch_goes_on_after_the_last_finished_one(tmp_path):
    settings = spec(epochs=3)  # two batches an epoch
    first = Watch(stop_at=4)
    with pytest.raises(StoppedError, match="the finished epochs are kept"):
        fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings, first))
    assert [row["epoch"] for row in first.rows] == [1]
    then = Watch()
    fitted = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings, then))
    assert [row["epoch"] for row in then.rows] == [2, 3]
    assert "resumes after epoch 1 of 3" in then.lines
    assert [row.to_dict() for row in fitted.rows] == first.rows + then.rows
    assert [int(line.split(",")[1]) for line in (tmp_path / "history.csv").read_text().splitlines()[1:]] == [1, 2, 3]
    assert then.told[-1].epoch == 3
    # One that ended but for the export is not trained further, and its weights are the running mean again.
    again = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings, done := Watch()))
    assert done.rows == []
    assert all(
        np.array_equal(one, other) for one, other in zip(weights(again.model), weights(fitted.model), strict=True)
    )


def test_patience_ends_a_fit_and_the_best_weights_are_kept(tmp_path):
    """A rate far too high: the first epochs are the best, and what is kept is theirs."""
    settings = spec(epochs=9, patience=2, keep="best", optimizer="sgd", schedule="constant", learning_rate=0.9)
    fitted = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings, watch := Watch()))
    losses = [row.val_loss for row in fitted.rows]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == min(9, best + 2)
    assert f"best checkpoint: epoch {best}" in watch.lines
    kept = [path.name for path in (tmp_path / "checkpoint").glob("fit-1-epoch-*")]
    assert kept == [f"fit-1-epoch-{best}.npz"]
    with np.load(tmp_path / "checkpoint" / kept[0]) as stored:
        assert np.array_equal(stored["model-0"], np.asarray(fitted.model.variables[0]))
    (tmp_path / "checkpoint" / kept[0]).unlink()
    with pytest.raises(RunError, match=f"lacks the weights of epoch {best}; start anew"):
        fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings))


def test_the_rate_comes_down_on_a_plateau(tmp_path):
    settings = spec(epochs=3, schedule="reduce on plateau", plateau_patience=1, rate_factor=0.1, learning_rate=1e-9)
    fitted = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings))
    losses, expected, rate, best = [row.val_loss for row in fitted.rows], [], 1e-9, np.inf
    for loss in losses:
        expected.append(rate)
        rate = rate if loss < best else rate * 0.1
        best = min(best, loss)
    assert [row.rate for row in fitted.rows] == pytest.approx(expected)


def test_images_that_vanish_end_a_fit_after_its_epoch_was_kept(tmp_path):
    settings = spec(epochs=2)
    started = open_context(tmp_path, settings)
    (tmp_path / "s" / "1.png").unlink()
    with pytest.raises(DatasetError, match=r"The images of s are gone from .*; the finished epochs are kept"):
        fit_network(settings, 1, TRAINING, None, started)
    assert [row.epoch for row in started.checkpoints.read_history()] == [1]
    fit_network(settings, 1, TRAINING, None, open_context(tmp_path, settings, watch := Watch()))
    assert [row["epoch"] for row in watch.rows] == [2]


@pytest.fixture
def started(tmp_path):
    """A checkpoint folder with a file of a state."""
    folder = tmp_path / "checkpoint"
    open_checkpoints(folder, spec(), TRAINING)
    np.savez(folder / "fit-1.npz", history=np.array(json.dumps([STORED_ROW])))
    return folder


def test_a_checkpoint_of_another_spec_is_refused(started):
    with pytest.raises(RunError, match=r"is of another spec \(epochs, seed differ\); start anew"):
        open_checkpoints(started, spec(epochs=2, seed=1), TRAINING)


def test_a_checkpoint_of_other_images_is_refused(started):
    with pytest.raises(RunError, match="was trained on other images than there are now; start anew"):
        open_checkpoints(started, spec(), HELD_OUT)


def test_a_checkpoint_of_another_keras_is_refused(started, monkeypatch):
    monkeypatch.setattr(checkpoint.keras, "__version__", "4.0")
    with pytest.raises(RunError, match=r"is of Keras 3\.\d+\.\d+, this is 4\.0; start anew"):
        open_checkpoints(started, spec(), TRAINING)


def test_a_checkpoint_that_is_damaged_is_refused(started):
    state = started / "fit-1.npz"
    write_atomic(state, state.read_bytes()[:-30])
    with pytest.raises(RunError, match=r"The checkpoint .*fit-1\.npz cannot be read; start anew"):
        open_checkpoints(started, spec(), TRAINING).read_history()
    (started / "run.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read; start anew"):
        open_checkpoints(started, spec(), TRAINING)


def test_a_checkpoint_of_another_network_is_refused(started):
    with pytest.raises(RunError, match="is of another network; start anew"):
        fit_network(spec(), 1, TRAINING, None, open_context(started.parent, spec()))


def test_a_run_without_a_finished_epoch_may_be_started_with_another_spec(tmp_path):
    open_checkpoints(tmp_path, spec(), TRAINING)
    open_checkpoints(tmp_path, spec(epochs=2), HELD_OUT)


def test_the_hash_of_the_data_sees_every_part():
    def changed(**parts):
        return hash_samples(type(TRAINING)(**(vars(TRAINING) | parts)))

    brighter = TRAINING.stored_crops.copy()
    brighter[0, 0, 0, 0] += 1
    others = [
        changed(stored_crops=brighter),
        changed(class_index=1 - TRAINING.class_index),
        changed(group=TRAINING.group[::-1]),
        changed(source=TRAINING.source + 1),
        changed(file=[*TRAINING.file[1:], "x.png"]),
    ]
    assert len({hash_samples(TRAINING), *others}) == 6
    assert hash_samples(TRAINING) == changed(no_cell={"s": 1})
