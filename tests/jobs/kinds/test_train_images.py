"""A real training job that is robbed of its images."""

import json
import shutil
from dataclasses import replace

import pytest

from bloodcell.jobs.files import job_dir, read_history
from bloodcell.jobs.store import FAILED, NewJob
from tests.jobs.light_worker import wait_status
from tests.jobs.training_jobs import LONG_S, TRAINING_SPEC, queue_with_cells, wait_epoch


@pytest.mark.process
def test_images_that_vanish_are_the_reason_and_the_epochs_are_kept(tmp_path):
    queue = queue_with_cells(tmp_path)
    spec = replace(TRAINING_SPEC, epochs=1000, images_per_epoch=160)
    data_dir = queue.settings.home / "data"
    job = queue.submit(NewJob("train", "drawn", "gone", json.loads(spec.to_json()), str(data_dir), "Ada"))
    wait_epoch(queue, job.id, 1)
    shutil.rmtree(data_dir / "cells")
    failed = wait_status(queue, job.id, FAILED, timeout_s=LONG_S)
    assert failed.error == f"The images of cells are gone from {data_dir / 'cells'}; the finished epochs are kept."
    assert (job_dir(queue.settings, job.id) / "checkpoint" / "fit-1.npz").is_file()
    assert len(read_history(queue.settings, job.id)) >= 1
