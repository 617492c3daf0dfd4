"""Trainings that 0.1 did not finish go on after their last epoch, in the folder of a job and in that of a command."""

import pytest

from bloodcell.cli.main import main
from bloodcell.db.database import open_database
from bloodcell.experiments.results.search import read_search
from bloodcell.inference.engine import Engine
from bloodcell.jobs import worker
from bloodcell.jobs.files import read_history
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import DONE, claim_next, get_job, requeue_job
from tests.training.tiny_run import FOREIGN_WARNINGS
from tests.upgrade.old_workspace import expect, unpack

pytestmark = [pytest.mark.keras, *FOREIGN_WARNINGS]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return unpack(tmp_path_factory.mktemp("old"))


class NoProcesses:
    """A runner that starts nothing: the test itself does the work of the one job that it claims."""

    def is_gone(self, _job):
        return False


def without_seconds(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def resume(settings, monkeypatch, title):
    """Do the job of that title in this process; what 0.1 said of it, and what it is now."""
    (before,) = (job for job in expect("jobs", settings) if job["title"] == title)
    db = open_database(settings.db_url)
    monkeypatch.setattr(worker, "_tee_output", lambda _: None)
    assert requeue_job(db, before["id"])
    job = claim_next(db, 1)
    assert job.id == before["id"]
    assert worker.main([str(job.id), str(job.attempt)], JobQueue(db, settings, NoProcesses())) == 0
    job = get_job(db, job.id)
    assert (job.status, job.error, job.attempt) == (DONE, "", before["attempt"] + 1)
    return before, job


@pytest.mark.parametrize("title", ["Interrupted", "Cancelled"])
def test_an_unfinished_training_goes_on(settings, monkeypatch, title):
    before, job = resume(settings, monkeypatch, title)
    history = without_seconds(read_history(settings, job.id))
    assert history[: len(before["history"])] == without_seconds(before["history"])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert Engine(settings.runs_dir / job.result).class_names


def test_a_stopped_search_goes_on(settings, monkeypatch):
    before, job = resume(settings, monkeypatch, "Search, 6 trials: Stopped")
    history = without_seconds(read_history(settings, job.id))
    assert history[: len(before["history"])] == without_seconds(before["history"])
    result = read_search(settings.runs_dir / job.result)
    assert result.trials["trial"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert result.trials["state"].tolist() == ["done", "done", "broken off", "done", "done", "done", "done"]
    # The trial that was broken off is tried again under the next number, with the same settings.
    assert result.trials["learning_rate"][2] == result.trials["learning_rate"][3]


def test_a_stopped_command_goes_on(settings):
    data, out = settings.home / "data", settings.runs_dir / "by-command"
    assert main(["train", str(data / "by-command.json"), "--data", str(data), "--out", str(out), "--resume"]) == 0
    assert Engine(out).class_names
    assert not (settings.runs_dir / ".by-command.unfinished").exists()
