"""A worker as the real one, with kinds of jobs that need no training library; and what waits for such jobs."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bloodcell.core.errors import StoppedError
from bloodcell.core.settings import load_settings
from bloodcell.core.spec import Spec
from bloodcell.db.database import open_database
from bloodcell.jobs import worker
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.runners.local import LocalRunner
from bloodcell.jobs.runners.table import make_runner
from bloodcell.jobs.store import NewJob, get_job

HERE = "tests.jobs.light_worker"
SLEEPING_CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


@dataclass(frozen=True)
class LightSpec(Spec):
    """Settings of the light kinds."""

    steps: int = 1
    step_s: float = 0.0


def light_queue(db=None, settings=None):
    settings = settings or load_settings()
    kind = type(make_runner(settings))
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


def wait_status(queue, job_id, *statuses, timeout_s=60, dispatch=True):
    def reached():
        if dispatch:
            queue.dispatch()
        job = get_job(queue.db, job_id)
        return job if job.status in statuses else None

    return wait_for(reached, f"job {job_id} to be {statuses}", timeout_s)


def count(task, spec):
    """Steps that each leave a line; a resumed job goes on after them."""
    done = task.folder / "checkpoint"
    done.mkdir(exist_ok=True)
    for step in range(len(list(done.iterdir())) + 1, spec.steps + 1):
        give_up_at = time.monotonic() + spec.step_s
        while time.monotonic() < give_up_at:
            if task.should_stop():
                raise StoppedError("Stopped.")
            time.sleep(0.01)
        (done / str(step)).touch()
        with (task.folder / "history.csv").open("a") as stream:
            stream.write(f"{step}\n")
        task.report(step=step)
    return "counted"


def deaf(task, _spec):
    """Hears neither the flag nor SIGTERM, nor does its child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", SLEEPING_CHILD])
    task.report(child=child.pid)
    time.sleep(300)


def fill_disk(task, _spec):
    """Meet a real full disk: the device that is one."""
    (task.folder / "kept").write_text("what there was")
    with Path("/dev/full").open("w") as stream:
        stream.write("x")


KINDS = tuple(
    JobKind(work.__name__, LightSpec, lambda _: "a light job", lambda _: "it", work)
    for work in (count, deaf, fill_disk)
)

if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(worker.main(sys.argv[1:], light_queue()))
