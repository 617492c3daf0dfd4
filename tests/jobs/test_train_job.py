"""Real training jobs on drawn cells, killed, cancelled, resumed and robbed of their images."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace

import h5py
import pytest

from bloodcell.infer.engine import Engine
from bloodcell.jobs.files import job_dir, read_history, read_log
from bloodcell.jobs.processes import ProcessId, is_alive
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import CANCELLED, DONE, FAILED, INTERRUPTED, QUEUED, RUNNING, NewJob, get_job
from bloodcell.runs.folder import list_models
from bloodcell.settings import PROJECT_DIR, load_settings
from bloodcell.store.database import open_database
from tests.jobs.light_worker import wait_for, wait_status
from tests.training.tiny_run import SPEC, write_cells

EPOCHS = 4
LONG_S = 500  # of a busy machine
# Epochs of a second or more, so that one can be hit in its middle.
LEARNING = replace(SPEC, epochs=EPOCHS, images_per_epoch=800, deterministic=True)


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = replace(load_settings(), home=home, db_url=f"sqlite:///{home / 'bloodcell.db'}")
    write_cells(home / "data")
    return JobQueue(open_database(settings.db_url), settings)


def bloodcell(queue, *args):
    """Run a command in a process of its own, which then ends."""
    command = [sys.executable, "-m", "bloodcell", *map(str, args)]
    env = os.environ | {"BLOODCELL_HOME": str(queue.settings.home)}
    done = subprocess.run(command, env=env, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def submit(queue, spec):
    path = queue.settings.home / "given.json"
    path.write_text(spec.to_json())
    return int(bloodcell(queue, "jobs", "submit", path, "--data", queue.settings.home / "data"))


def wait_epoch(queue, job_id, epoch):
    def reached():
        job = get_job(queue.db, job_id)
        assert not job.is_over, (job.status, job.error, read_log(queue.settings, job_id)[0])
        return len(read_history(queue.settings, job_id)) >= epoch

    wait_for(reached, f"epoch {epoch} of job {job_id}", LONG_S)


@pytest.fixture(scope="module")
def story(queue):
    """Two jobs of one spec: the first is left alone, the second killed after its first epoch, then cancelled.

    Returns (the first, what the second was after the kill, after the cancelling, and in the end).
    """
    first, second = submit(queue, LEARNING), submit(queue, LEARNING)
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


def test_a_killed_and_cancelled_run_ends_with_the_same_epochs_and_the_same_weights(queue, story):
    alone, _, _, resumed = story
    assert (alone.status, alone.attempt, resumed.status, resumed.attempt) == (DONE, 1, DONE, 3)
    assert [row["epoch"] for row in table(queue, resumed)] == ["1", "2", "3", "4"]
    assert table(queue, resumed) == table(queue, alone)
    assert len(weights(queue, alone)) > 10
    assert weights(queue, resumed) == weights(queue, alone)


def test_the_models_are_on_the_shelf_under_names_of_their_own(queue, story):
    assert [story[0].result, story[3].result] == ["drawn", "drawn-2"]
    assert {"drawn", "drawn-2"} <= {model.name for model in list_models(queue.settings)}
    assert Engine(queue.settings.runs_dir / "drawn-2").class_names == SPEC.class_names
    assert not (job_dir(queue.settings, story[3].id) / "checkpoint").exists()
    assert not (job_dir(queue.settings, story[3].id) / "model").exists()


def test_no_process_of_a_stopped_job_is_left(story):
    for job in story:
        wait_for(
            lambda one=job: not is_alive(ProcessId(one.pid, one.pid_created)), f"the end of process {job.pid}", LONG_S
        )


def test_the_progress_says_all_that_is_shown(story):
    progress = story[3].progress
    assert (progress["phase"], progress["epoch"], progress["epochs"]) == ("learning", EPOCHS, EPOCHS)
    assert (progress["batch"], progress["batches"], progress["fits"]) == (50, 50, 1)
    assert progress["last_epoch"]["epoch"] == EPOCHS
    assert {"loss", "accuracy", "images_per_s", "seconds_left", "memory_mb"} <= progress.keys()
    assert {"val_loss", "val_accuracy", "val_balanced", "rate"} <= progress["last_epoch"].keys()


def test_a_new_process_lists_and_follows(queue, story):
    listed = bloodcell(queue, "jobs").splitlines()
    assert [line.split()[:2] for line in listed[1:3]] == [["2", "done"], ["1", "done"]]
    followed = bloodcell(queue, "jobs", "follow", 2)
    assert followed == bloodcell(queue, "jobs", "log", 2)
    assert followed.count("goes on after epoch") == 2
    assert followed.rstrip().endswith("done drawn-2")


def test_images_that_vanish_are_the_reason_and_the_epochs_are_kept(queue, story):
    spec = replace(LEARNING, epochs=1000, images_per_epoch=160)
    data_dir = queue.settings.home / "data"
    job = queue.submit(NewJob("train", "drawn", "gone", json.loads(spec.to_json()), str(data_dir), "Ada"))
    wait_epoch(queue, job.id, 1)
    shutil.rmtree(data_dir / "cells")
    failed = wait_status(queue, job.id, FAILED, timeout_s=LONG_S)
    assert failed.error == f"The images of cells are gone from {data_dir / 'cells'}; the finished epochs are kept."
    assert (job_dir(queue.settings, job.id) / "checkpoint" / "fit-1.npz").is_file()
    assert len(read_history(queue.settings, job.id)) >= 1
