"""A worker as the real one, with kinds of jobs that need no training library; and what waits for such jobs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bloodcell.core.errors import StoppedError
from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs import worker
from bloodcell.jobs.kinds.table import Kind
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.runners.local import LocalRunner
from bloodcell.jobs.runners.table import runner_of
from bloodcell.jobs.store import NewJob, get_job

HERE = "tests.jobs.light_worker"
KINDS = tuple(Kind(name, f"{HERE}:check", f"{HERE}:{name}") for name in ("count", "deaf", "fill_disk"))
SLEEPING_CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


def light_queue(db=None, settings=None):
    settings = settings or load_settings()
    kind = type(runner_of(settings))
    helpers = {"stopper": "tests.jobs.light_stopper"} if kind is LocalRunner else {}
    return JobQueue(db or open_database(settings.db_url), settings, kind(settings, worker=HERE, **helpers), KINDS)


def new_job(kind="count", steps=1, step_s=0.0, **changes):
    spec = {"steps": steps, "step_s": step_s}
    return NewJob(**{"kind": kind, "title": kind, "name": "it", "spec": spec, "data_dir": "", "who": "Ada"} | changes)


def wait_for(condition, what, timeout_s=60):
    """Poll until a condition holds; generous, as the machine may be busy."""
    give_up_at = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.05)
    return found


def wait_status(queue, job_id, *statuses, timeout_s=60, tend=True):
    def reached():
        if tend:
            queue.tend()
        job = get_job(queue.db, job_id)
        return job if job.status in statuses else None

    return wait_for(reached, f"job {job_id} to be {statuses}", timeout_s)


def check(spec):
    pass


def count(task):
    """Steps that each leave a line; a resumed job goes on after them."""
    done = task.folder / "checkpoint"
    done.mkdir(exist_ok=True)
    for step in range(len(list(done.iterdir())) + 1, task.job.spec["steps"] + 1):
        give_up_at = time.monotonic() + task.job.spec["step_s"]
        while time.monotonic() < give_up_at:
            if task.should_stop():
                raise StoppedError("Stopped.")
            time.sleep(0.01)
        (done / str(step)).touch()
        with (task.folder / "history.csv").open("a") as stream:
            stream.write(f"{step}\n")
        task.report(step=step)
    return "counted"


def deaf(task):
    """Hears neither the flag nor SIGTERM, nor does its child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", SLEEPING_CHILD])
    task.report(child=child.pid)
    time.sleep(300)


def fill_disk(task):
    """Meet a real full disk: the device that is one."""
    (task.folder / "kept").write_text("what there was")
    with Path("/dev/full").open("w") as stream:
        stream.write("x")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(worker.main(sys.argv[1:], light_queue()))
