"""Trainings that 0.1 did not finish go on after their last epoch, in the folder of a job and in that of a command."""

import pytest

from bloodcell.cli.main import main
from bloodcell.db.database import open_database
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


@pytest.mark.parametrize("title", ["Interrupted", "Cancelled"])
def test_an_unfinished_job_goes_on(settings, monkeypatch, title):
    (before,) = (job for job in expect("jobs", settings) if job["title"] == title)
    db = open_database(settings.db_url)
    queue = JobQueue(db, settings, NoProcesses())
    monkeypatch.setattr(worker, "_tee_output", lambda _: None)
    assert requeue_job(db, before["id"])
    job = claim_next(db, 1)
    assert job.id == before["id"]
    assert worker.main([str(job.id), str(job.attempt)], queue) == 0
    job = get_job(db, job.id)
    assert (job.status, job.error, job.attempt) == (DONE, "", before["attempt"] + 1)
    history = without_seconds(read_history(settings, job.id))
    n_before = len(before["history"])
    assert history[:n_before] == without_seconds(before["history"])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert Engine(settings.runs_dir / job.result).class_names


def test_a_stopped_command_goes_on(settings):
    data, out = settings.home / "data", settings.runs_dir / "by-command"
    assert main(["train", str(data / "by-command.json"), "--data", str(data), "--out", str(out), "--resume"]) == 0
    assert Engine(out).class_names
    assert not (settings.runs_dir / ".by-command.unfinished").exists()
