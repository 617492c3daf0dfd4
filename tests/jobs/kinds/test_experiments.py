"""The work of the kinds trials, kfold, search and adapt, done in this process; test_train_job.py has real workers."""

import json

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, RunError, SpecError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.table import KINDS
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import NewJob, add_job, claim_next
from bloodcell.jobs.task import Task
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.trials_spec import TrialsSpec
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, make_epoch, trained

pytestmark = FOREIGN_WARNINGS


def task_of(db, settings, kind, spec, data_dir):
    spec = json.loads(spec.to_json())
    add_job(db, NewJob(kind, kind, "it", spec, str(data_dir), "Ada"))
    job = claim_next(db, 9)
    folder = job_dir(settings, job.id)
    folder.mkdir(parents=True)
    return Task(job, settings, folder)


def test_trials_that_were_done_leave_a_folder_of_metrics_in_runs(db, settings, tmp_path_factory):
    """Both trials stand in the checkpoint, so that nothing is trained: one always right, one always wrong."""
    data_dir, _ = trained(tmp_path_factory)
    task = task_of(db, settings, "trials", TrialsSpec(SPEC, 2), data_dir)
    samples = load_samples(SPEC, data_dir, settings.home / "cache")
    held_out = samples.take(assign_folds(SPEC, samples) == SPEC.fold)
    right = np.eye(4, dtype=np.float32)[held_out.class_index] * 9
    checkpoints = open_checkpoints(task.folder / CHECKPOINT_DIR, SPEC, samples)
    for fit, logits in ((1, right), (2, np.roll(right, 1, axis=1))):
        outputs = Outputs(logits, logits[:, 0], logits[:, 0])
        checkpoints.save_predictions(fit, outputs, [make_epoch(epoch, fit=fit) for epoch in (1, 2)])
    assert TRIALS.run_job(task) == "it"
    found = json.loads((settings.runs_dir / "it" / "trials.json").read_text())
    assert (found["converged"], found["converged_share"]) == (1, 0.5)
    assert (found["figures"]["accuracy"]["mean"], found["figures"]["balanced_accuracy"]["min"]) == (0.5, 0.0)
    assert not (task.folder / "checkpoint").exists()
    assert (task.folder / "trials.csv").is_file()  # as it was followed


def test_an_adaptation_that_is_not_better_fails_with_the_reason_and_the_comparison(db, settings, tmp_path_factory):
    """At such a rate nothing changes, and equal is not better."""
    data_dir, run_dir = trained(tmp_path_factory)
    source = SourceSpec("cells", "cells", groups="cells.csv")
    slow = {"learning_rate": 1e-12, "frozen_rate": 1e-12, "epochs": 2, "frozen_epochs": 1, "images_per_epoch": 32}
    task = task_of(db, settings, "adapt", AdaptSpec("mine", str(run_dir), source, **slow), data_dir)
    with pytest.raises(
        RunError, match=r"The adapted model was not kept: .* held-out cells is not higher than that of "
    ):
        ADAPT.run_job(task)
    report = json.loads((task.folder / "adapt.json").read_text())
    assert (report["is_better"], report["difference"]) == (False, 0.0)
    assert not (task.folder / "model").exists()
    assert not (settings.runs_dir / "it").exists()


def test_a_data_folder_that_is_gone(db, settings, tmp_path):
    with pytest.raises(DatasetError, match="There is no data folder"):
        TRIALS.run_job(task_of(db, settings, "trials", TrialsSpec(SPEC, 2), tmp_path / "none"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_checks_its_settings(kind):
    with pytest.raises(SpecError):
        kind.check({"nothing": 1})
