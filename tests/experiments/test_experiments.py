"""Trials and k-fold on drawn cells, stopped and gone on with; what a search gives up."""

import csv
import json
from dataclasses import replace

import numpy as np
import optuna
import pytest

from bloodcell.core.errors import DatasetError, RunError, StoppedError
from bloodcell.core.progress import Control
from bloodcell.experiments.k_fold import run_k_fold
from bloodcell.experiments.search import STUDY_FILE, _open_study, run_search
from bloodcell.experiments.trials import run_trials
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.cross_validation import (
    compute_final_metrics,
    format_selection_note,
    predict_out_of_fold,
)
from bloodcell.training.fitting.run_setup import TrainingRun
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.search_spec import Choices, SearchSpec
from bloodcell.training.specs.trials_spec import TrialsSpec, summarise_spread
from tests.conftest import step_by_step
from tests.training.samples.test_samples import samples
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, make_epoch, write_cells

pytestmark = [*FOREIGN_WARNINGS, pytest.mark.usefixtures("without_graphs")]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("experiments") / "data")


class StopAfter(Control):
    """Keeps the log; stops in the fit after so many epochs in all."""

    def __init__(self, epochs=0):
        self.epochs, self.rows, self.lines = epochs, [], []

    def on_epoch(self, row):
        self.rows.append(row)

    def log(self, line):
        self.lines.append(line)

    def should_stop(self):
        return self.epochs > 0 and len(self.rows) >= self.epochs


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def trials(data_dir, tmp_path_factory):
    """(work folder, summary, epochs done by the second call) of two trials, stopped after the first."""
    work = tmp_path_factory.mktemp("trials")
    what = (work, TrialsSpec(replace(SPEC, seed=7), 2), data_dir, data_dir.parent / "cache")
    then = StopAfter()
    with step_by_step():
        with pytest.raises(StoppedError, match="the finished epochs are kept"):
            run_trials(*what, StopAfter(1))
        return work, run_trials(*what, then), then.rows


def test_a_finished_trial_is_not_run_again(trials):
    _, summary, again = trials
    assert [row["fit"] for row in again] == [2]
    assert [(row["trial"], row["seed"], row["epochs"]) for row in summary["trials"]] == [(1, 7, 1), (2, 8, 1)]


def test_trials_are_summed_up(trials):
    work, summary, _ = trials
    rows = summary["trials"]
    assert summary["figures"]["accuracy"] == summarise_spread([row["accuracy"] for row in rows])
    assert (summary["converged"], summary["converged_share"]) == (0, 0.0)  # one epoch each
    assert summary["validation"]["images"] == 2 * summary["validation"]["source_cells"]
    result = work / RESULT_DIR
    assert json.loads((result / "trials.json").read_text()) == json.loads(json.dumps(summary))
    assert [row["seed"] for row in rows_of(result / "trials.csv")] == ["7", "8"]
    assert [len(rows_of(result / "history" / f"trial-{n}.csv")) for n in (1, 2)] == [1, 1]


def test_a_search_gives_up_what_is_worse_than_the_trials_before(data_dir, tmp_path):
    """One trial that was perfect at once is written into the study; the next is worse after its first epoch."""
    base = replace(SPEC, epochs=3)
    search = SearchSpec("s", base, (("dropout", Choices((0.1, 0.2))),), trials=2, startup_trials=1, prune_after=0)
    (tmp_path / CHECKPOINT_DIR).mkdir()
    with _open_study(tmp_path / CHECKPOINT_DIR / STUDY_FILE, search) as study:
        perfect = {"value": 0.0, "intermediate_values": {1: 0.0, 2: 0.0}}
        kinds = {"dropout": optuna.distributions.CategoricalDistribution(["0.1", "0.2"])}
        study.add_trial(optuna.trial.create_trial(params={"dropout": "0.2"}, distributions=kinds, **perfect))
    control = StopAfter()
    summary = run_search(tmp_path, search, data_dir, data_dir.parent / "cache", control)
    assert [row["epoch"] for row in control.rows] == [1]
    assert "Given up after epoch 1." in control.lines
    assert [(row["state"], row["epochs"]) for row in summary["trials"]] == [("done", 0), ("given up", 1)]
    assert summary["best"]["dropout"] == 0.2
    assert summary["importance"] == {}
    assert not list((tmp_path / CHECKPOINT_DIR).glob("fit-*"))
    with pytest.raises(RunError, match=r"holds another search \(space differ\); start anew"):
        run_search(tmp_path, replace(search, space=(("dropout", Choices((0.3,))),)), *(data_dir, tmp_path, control))


def test_a_search_of_which_nothing_came(data_dir, tmp_path):
    search = SearchSpec("s", SPEC, (("dropout", Choices((0.1, 0.2))),), trials=1)
    (tmp_path / CHECKPOINT_DIR).mkdir()
    with _open_study(tmp_path / CHECKPOINT_DIR / STUDY_FILE, search) as study:
        diverged = {"state": optuna.trial.TrialState.FAIL, "user_attrs": {"state": "diverged", "fit": 1}}
        study.add_trial(optuna.trial.create_trial(**diverged))
    with pytest.raises(RunError, match="No trial was finished: all diverged or cannot be built"):
        run_search(tmp_path, search, data_dir, data_dir.parent / "cache", Control())


def test_a_trial_whose_network_cannot_be_built_is_told_and_does_not_end_the_search(data_dir, tmp_path):
    """A CNN has five blocks that pool, so this input is too small for it; the search goes on to its end."""
    base = replace(SPEC, model="cnn", stage_widths=(), unknown_share=0.0)
    search = SearchSpec("s", base, (("dropout", Choices((0.1, 0.2))),), trials=1)
    control = StopAfter()
    with pytest.raises(RunError, match="No trial was finished"):
        run_search(tmp_path, search, data_dir, data_dir.parent / "cache", control)
    assert [line for line in control.lines if line.startswith("No such network can be built: The input must be large")]


@pytest.fixture
def training_run(tmp_path):
    """Four samples in two folds, and no fit yet."""
    some = samples([0, 1, 0, 1])
    checkpoints = open_checkpoints(tmp_path / CHECKPOINT_DIR, SPEC, some)
    context = RunContext(Control(), checkpoints, tmp_path / "history.csv", tmp_path, fits=2)
    return TrainingRun(SPEC, some, np.array([0, 0, 1, 1]), context, [], 0.0)


def test_a_fit_that_is_given_up_leaves_its_history_alone(training_run):
    kept, folder = training_run.context.checkpoints, training_run.context.checkpoints.folder
    rows = [make_epoch(1, fit=1)]
    for name in ("fit-1.npz", "fit-1-epoch-1.npz", "fit-11.npz"):
        np.savez(folder / name, history=np.array("[]"))
    assert not kept.is_given_up(1)
    kept.give_up(1, rows)
    assert kept.is_given_up(1)
    assert kept.read_history(1) == kept.read_history() == rows
    assert {path.name for path in folder.glob("*.npz")} == {"ended-1.npz", "fit-11.npz"}


def test_a_fold_that_diverged_ends_the_run(training_run):
    numbers, nothing = np.zeros((2, 2), np.float32), np.full((2, 2), np.nan, np.float32)
    for fit, logits in ((1, numbers), (2, nothing)):
        training_run.context.checkpoints.save_predictions(fit, Outputs(logits, None, logits[:, 0]), [])
    with pytest.raises(RunError, match="Fold 2 diverged, its predictions are no numbers: take a lower `learning_rate`"):
        predict_out_of_fold(replace(training_run, spec=replace(SPEC, folds=2, unknown_share=0.0)))


def test_metrics_of_predictions_by_hand():
    """Two of A right, one of B wrong: accuracy 2/3, balanced (1 + 0) / 2; softmax(0, 0) gives each 0.5, loss ln 2."""
    held_out = samples([0, 0, 1, -1])
    outputs = Outputs(as_array([[0, 0]] * 4), None, as_array([0] * 4))
    found = compute_final_metrics(held_out, outputs)
    assert found == {"accuracy": 0.6667, "balanced_accuracy": 0.5, "log_loss": 0.6931}
    nothing = replace(outputs, logits=as_array([[float("nan")] * 2] * 4))
    assert compute_final_metrics(held_out, nothing)["log_loss"] is None
    with pytest.raises(DatasetError, match="The held-out fold has no cell of any class"):
        compute_final_metrics(samples([-1]), replace(outputs, logits=as_array([[0, 0]])))


def as_array(values):
    return np.array(values, np.float32)


def test_a_course_chosen_on_the_held_out_cells_is_told():
    assert format_selection_note(SPEC) == ""
    assert "slightly too good" in format_selection_note(replace(SPEC, keep="best"))


def test_k_fold_needs_every_fold_of_the_spec(data_dir, tmp_path):
    """A split into train and validation has one part to hold out; it is refused before anything is trained."""
    names = [path.relative_to(data_dir / "cells").as_posix() for path in sorted(data_dir.glob("cells/*/*.png"))]
    lines = [f"{name},{name[:-6]},{name.split('/')[0]},{'validation' if '/0-' in name else 'train'}" for name in names]
    (tmp_path / "split.csv").write_text("\n".join(["file,group,label,split", *lines]) + "\n")
    source = replace(SPEC.sources[0], split=str(tmp_path / "split.csv"))
    with pytest.raises(DatasetError, match=r"k-fold needs a split with the folds 0 to 2, .* Found: 0, 1"):
        run_k_fold(tmp_path / "work", replace(SPEC, sources=(source,)), data_dir, data_dir.parent / "cache", Control())
