"""The work of the kinds trials, kfold, search and adapt, done in this process; test_train_job.py has real workers."""

import json
from dataclasses import replace

import pytest

from bloodcell.errors import DatasetError, RunError, SpecError
from bloodcell.jobs.experiment_jobs import adapt, trials
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds import KINDS, load
from bloodcell.jobs.store import NewJob, add_job, claim_next
from bloodcell.jobs.task import Task
from bloodcell.training.adapt_spec import AdaptSpec, cells_source
from bloodcell.training.trials_spec import TrialsSpec
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, trained

pytestmark = FOREIGN_WARNINGS


def task_of(db, settings, kind, spec, data_dir):
    spec = json.loads(spec.to_json())
    add_job(db, NewJob(kind, kind, "it", spec, str(data_dir), "Ada"))
    job = claim_next(db, 9)
    folder = job_dir(settings, job.id)
    folder.mkdir(parents=True)
    return Task(job, settings, folder)


def test_trials_leave_a_folder_of_figures_in_runs(db, settings, tmp_path_factory):
    data_dir, _ = trained(tmp_path_factory)
    task = task_of(db, settings, "trials", TrialsSpec(SPEC, 2), data_dir)
    assert trials(task) == "it"
    assert json.loads((settings.runs_dir / "it" / "trials.json").read_text())["n"] == 2
    assert not (task.folder / "checkpoint").exists()
    assert task.progress()["fits"] == 2
    assert (task.folder / "trials.csv").is_file()  # as it was followed


def test_an_adaptation_that_is_not_better_fails_with_the_reason_and_the_comparison(db, settings, tmp_path_factory):
    data_dir, run_dir = trained(tmp_path_factory)
    _, source = cells_source(data_dir / "cells")
    slow = {"learning_rate": 1e-12, "frozen_rate": 1e-12, "epochs": 2, "frozen_epochs": 1, "images_per_epoch": 32}
    spec = AdaptSpec("mine", str(run_dir), replace(source, groups="cells.csv"), **slow)
    task = task_of(db, settings, "adapt", spec, data_dir)
    with pytest.raises(RunError, match="The adapted model was not kept"):
        adapt(task)
    assert not json.loads((task.folder / "adapt.json").read_text())["is_better"]
    assert not (settings.runs_dir / "it").exists()


def test_a_data_folder_that_is_gone(db, settings, tmp_path):
    with pytest.raises(DatasetError, match="There is no data folder"):
        trials(task_of(db, settings, "trials", TrialsSpec(SPEC, 2), tmp_path / "none"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_checks_its_settings(kind):
    with pytest.raises(SpecError):
        load(kind.check)({"nothing": 1})
    assert callable(load(kind.run))
