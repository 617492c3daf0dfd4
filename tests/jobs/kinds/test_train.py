"""Two real training jobs of one spec: one is left alone, the other killed, cancelled and resumed."""

import csv
import json
import os
import signal
import zipfile

import h5py
import pytest

from bloodcell.inference.engine import Engine
from bloodcell.jobs.files import job_dir, read_history, read_log
from bloodcell.jobs.processes import ProcessId, is_alive
from bloodcell.jobs.store import CANCELLED, DONE, FAILED, INTERRUPTED, QUEUED, RUNNING, NewJob, get_job
from bloodcell.model_store.library import list_models
from tests.jobs.light_worker import wait_for, wait_status
from tests.jobs.training_jobs import BATCHES, EPOCHS, LONG_S, TRAINING_SPEC, bloodcell, queue_with_cells, wait_epoch
from tests.training.tiny_run import SPEC


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    return queue_with_cells(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def story(queue):
    """Two jobs of one spec: the first is left alone, the second killed after its first epoch, then cancelled.

    Returns (the first, what the second was after the kill, after the cancelling, and in the end).
    """
    home = queue.settings.home
    (home / "given.json").write_text(TRAINING_SPEC.to_json())
    first = int(bloodcell(queue, "jobs", "submit", home / "given.json", "--data", home / "data"))  # and ends
    spec = json.loads(TRAINING_SPEC.to_json())
    second = queue.submit(NewJob("train", "drawn", "drawn", spec, str(home / "data"), "Ada")).id
    assert (get_job(queue.db, first).status, get_job(queue.db, second).status) == (RUNNING, QUEUED)
    wait_epoch(queue, second, 1)  # started by the first one's worker: nobody tends here
    os.kill(get_job(queue.db, second).pid, signal.SIGKILL)
    states = [wait_status(queue, second, INTERRUPTED)]
    bloodcell(queue, "jobs", "resume", second)
    wait_epoch(queue, second, 2)
    queue.cancel(second)
    states.append(wait_status(queue, second, CANCELLED, timeout_s=LONG_S))
    assert 2 <= len(read_history(queue.settings, second)) < EPOCHS
    queue.resume(second)
    states.append(wait_status(queue, second, DONE, FAILED, timeout_s=LONG_S))
    return get_job(queue.db, first), *states


def table(queue, job):
    """history.csv without what the clock says."""
    with (job_dir(queue.settings, job.id) / "history.csv").open() as stream:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


def weights(queue, job):
    """Every weight of a model to the last bit, read without Keras."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    archive = zipfile.ZipFile(queue.settings.runs_dir / job.result / "model.keras")
    with archive, archive.open("model.weights.h5") as stream, h5py.File(stream, "r") as stored:
        stored.visititems(keep)
    return found


@pytest.mark.process
def test_a_killed_and_cancelled_run_ends_with_the_same_epochs_and_the_same_weights(queue, story):
    alone, _, _, resumed = story
    assert (alone.status, alone.attempt, resumed.status, resumed.attempt) == (DONE, 1, DONE, 3)
    assert [row["epoch"] for row in table(queue, resumed)] == ["1", "2", "3", "4"]
    assert table(queue, resumed) == table(queue, alone)
    assert len(weights(queue, alone)) > 10
    assert weights(queue, resumed) == weights(queue, alone)


@pytest.mark.process
def test_the_models_are_in_the_library_under_names_of_their_own(queue, story):
    assert [story[0].result, story[3].result] == ["drawn", "drawn-2"]
    assert {"drawn", "drawn-2"} <= {model.name for model in list_models(queue.settings)}
    assert Engine(queue.settings.runs_dir / "drawn-2").class_names == SPEC.class_names
    assert not (job_dir(queue.settings, story[3].id) / "checkpoint").exists()
    assert not (job_dir(queue.settings, story[3].id) / "model").exists()


@pytest.mark.process
def test_no_process_of_a_stopped_job_is_left(story):
    for job in story:
        wait_for(
            lambda one=job: not is_alive(ProcessId(one.pid, one.pid_created)), f"the end of process {job.pid}", LONG_S
        )


@pytest.mark.process
def test_the_progress_says_all_that_is_shown(story):
    progress = story[3].progress
    assert (progress["phase"], progress["epoch"], progress["epochs"]) == ("learning", EPOCHS, EPOCHS)
    assert (progress["batch"], progress["batches"], progress["fits"]) == (BATCHES, BATCHES, 1)
    assert progress["last_epoch"]["epoch"] == EPOCHS
    assert {"loss", "accuracy", "images_per_s", "seconds_left", "memory_mb"} <= progress.keys()
    assert {"val_loss", "val_accuracy", "val_balanced", "rate"} <= progress["last_epoch"].keys()


@pytest.mark.process
@pytest.mark.usefixtures("story")
def test_a_new_process_lists_and_follows(queue):
    listed = bloodcell(queue, "jobs").splitlines()
    assert [line.split()[:2] for line in listed[1:3]] == [["2", "done"], ["1", "done"]]
    followed = bloodcell(queue, "jobs", "follow", 2)
    assert followed.rstrip() == read_log(queue.settings, 2)[0].rstrip()
    assert followed.count("resumes after epoch") == 2
    assert followed.rstrip().endswith("done drawn-2")
