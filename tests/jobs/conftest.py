"""A workspace with a queue of light jobs for each test; what is left running is killed at its end."""

from dataclasses import replace

import pytest

from bloodcell.core.settings import load_settings
from bloodcell.jobs.processes import ProcessId, stop_process
from bloodcell.jobs.runners.local import get_host_name
from bloodcell.jobs.store import RUNNING, list_jobs
from tests.jobs.light_worker import light_queue


@pytest.fixture
def settings(tmp_path, db_path):
    return replace(load_settings(), home=tmp_path, db_url=f"sqlite:///{db_path}")


@pytest.fixture
def queue(db, settings):
    queue = light_queue(db, settings)
    yield queue
    for job in list_jobs(db, (RUNNING,)):
        if job.pid is not None and job.host == get_host_name():
            stop_process(ProcessId(job.pid, job.pid_created), asked_at=0)
