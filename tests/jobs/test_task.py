"""What a job's work is given: signs of life that survive a locked database, and patience at the end."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from bloodcell.core.errors import BloodcellError, DatasetError, StoreError
from bloodcell.core.installation import TRAINING_PACKAGES
from bloodcell.db.database import begin_write
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.table import KINDS
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.store import add_job, claim_next, get_job
from bloodcell.jobs.task import Heartbeat, Task, retry_write
from bloodcell.jobs.worker import describe_failure
from tests.jobs.light_worker import new_job, wait_for


@pytest.fixture
def task(db, settings):
    add_job(db, new_job(kind="train", spec={"name": "x", "sources": [{"name": "a", "path": "b"}]}, data_dir="/none"))
    return Task(claim_next(db, 1), settings, settings.home / "jobs" / "1")


def test_progress_is_written_at_the_beginning_meanwhile_and_at_the_end(db, task):
    with Heartbeat(db, task):
        assert get_job(db, 1).progress.keys() == {"memory_mb"}
        task.report(epoch=1, loss=0.5)
        task.report(epoch=2)
        wait_for(lambda: get_job(db, 1).progress.get("epoch") == 2, "a beat")
        task.report(epoch=3)
    assert get_job(db, 1).progress.items() >= {"epoch": 3, "loss": 0.5}.items()
    assert not task.should_stop()


def test_a_job_that_is_taken_away_stops(db, task):
    with begin_write(db) as connection:
        connection.execute(text("DELETE FROM jobs"))
    with Heartbeat(db, task):
        assert task.should_stop()


def test_a_database_that_refuses_does_not_stop_the_work(db, task, capsys):
    with begin_write(db) as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO gone"))
    with Heartbeat(db, task):
        assert not task.should_stop()
    assert "the heartbeat could not be written: The database has lost its tables" in capsys.readouterr().out


def test_the_end_is_written_once_the_database_takes_it():
    refusals = [StoreError("Locked.")]

    def write():
        if refusals:
            raise refusals.pop()

    retry_write(write)
    refusals = [StoreError("Locked.")] * 2
    with pytest.raises(StoreError, match="Locked"):
        retry_write(write, tries=2)


def test_training_without_its_data_folder(task):
    with pytest.raises(DatasetError, match="There is no data folder /none"):
        TRAIN.run_job(task)


TRAINING_KINDS = [kind for kind in KINDS if kind.is_training]


def test_the_kinds_that_train():
    assert [kind.name for kind in TRAINING_KINDS] == [
        "train",
        "trials",
        "kfold",
        "search",
        "adapt",
        "masks",
        "detector",
    ]


@pytest.mark.parametrize("kind", TRAINING_KINDS, ids=lambda kind: kind.name)
def test_training_without_its_packages_ends_with_one_sentence(task, settings, hide_packages, kind):
    hide_packages(*TRAINING_PACKAGES)
    task = Task(replace(task.job, data_dir=str(settings.home)), settings, task.folder)
    with pytest.raises(BloodcellError) as raised:
        kind.run(task, None)
    work = "Adapting a model" if kind.name == "adapt" else "Training"
    assert describe_failure(raised.value) == f"{work} needs more packages: pip install 'bloodcell[train]'."


def test_loading_a_model_without_the_packages(task, hide_packages):
    hide_packages(*TRAINING_PACKAGES)
    with pytest.raises(
        BloodcellError, match=r"^Loading a model needs more packages: pip install 'bloodcell\[train\]'\.$"
    ):
        LOAD.run(task, None)
