"""Real training jobs on drawn cells: the spec they share, their queue, and waiting for their epochs."""

import os
import subprocess
import sys
from dataclasses import replace

from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs.files import read_history, read_log
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import get_job
from tests.jobs.light_worker import wait_for
from tests.places import ROOT
from tests.training.tiny_run import SPEC, write_cells

LONG_S = 500  # of a busy machine
EPOCHS, BATCHES = 4, 40
# Epochs of a second or so, so that one can be hit in its middle.
TRAINING_SPEC = replace(SPEC, epochs=EPOCHS, images_per_epoch=BATCHES * SPEC.batch_size, deterministic=True)


def queue_with_cells(home):
    """A queue of a workspace of its own, with drawn cells in its folder `data`."""
    settings = replace(load_settings(), home=home, db_url=f"sqlite:///{home / 'bloodcell.db'}")
    write_cells(home / "data")
    return JobQueue(open_database(settings.db_url), settings)


def bloodcell(queue, *args):
    """Run a command in a process of its own, which then ends."""
    command = [sys.executable, "-m", "bloodcell", *map(str, args)]
    env = os.environ | {"BLOODCELL_HOME": str(queue.settings.home)}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_epoch(queue, job_id, epoch):
    def reached():
        job = get_job(queue.db, job_id)
        assert not job.is_over, (job.status, job.error, read_log(queue.settings, job_id)[0])
        return len(read_history(queue.settings, job_id)) >= epoch

    wait_for(reached, f"epoch {epoch} of job {job_id}", LONG_S)
