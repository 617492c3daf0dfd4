"""Jobs as processes of this machine, each in a session of its own, so that they outlive who started them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from bloodcell.errors import JobError
from bloodcell.jobs.files import LOG_FILE, job_dir
from bloodcell.jobs.processes import ProcessId, is_alive, process_id
from bloodcell.jobs.store import Job
from bloodcell.settings import PROJECT_DIR, Settings

WORKER, STOPPER = "bloodcell.jobs.worker", "bloodcell.jobs.stopper"
# A claimed job whose process nobody has told of by then was lost with who claimed it.
START_TIMEOUT_S = 60.0
# Of a process on another machine only its heartbeat is seen.
SILENCE_S = 60.0
# glibc then keeps freed memory between training steps: TensorFlow on two cores is a fifth faster.
WORKER_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000"}
_started: list[subprocess.Popen] = []  # kept so that those that have ended are reaped


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


class LocalRunner:
    """Runs jobs as processes of this machine.

    Parameters
    ----------
    settings : Settings, handed on to the workers
    worker, stopper : modules that do the work of one job, and that end a worker by force
    """

    def __init__(self, settings: Settings, worker: str = WORKER, stopper: str = STOPPER) -> None:
        self.settings, self.worker, self.stopper = settings, worker, stopper

    def start(self, job: Job) -> tuple[str, int, float] | None:
        """Start the worker; its output goes to the job's log."""
        try:
            folder = job_dir(self.settings, job.id)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LOG_FILE).open("ab") as log:
                process = self._spawn([self.worker, str(job.id), str(job.attempt)], log)
        except OSError as error:
            raise JobError(f"The worker cannot be started: {error.strerror}.") from error
        found = process_id(process.pid)
        return None if found is None else (host(), found.pid, found.created)

    def stop(self, job: Job) -> None:
        """Leave a helper behind that ends the worker by force if it does not stop by itself."""
        if job.pid is not None and job.pid_created is not None and job.host == host():
            self._spawn([self.stopper, str(job.pid), repr(job.pid_created), repr(time.time())], subprocess.DEVNULL)

    def is_gone(self, job: Job) -> bool:
        """Whether the worker has ended, by its id and creation time; on another machine by its silence."""
        now = time.time()
        if job.pid is None or job.pid_created is None:
            return now - (job.started_at or 0) > START_TIMEOUT_S
        if job.host != host():
            return now - (job.heartbeat_at or 0) > SILENCE_S
        return not is_alive(ProcessId(job.pid, job.pid_created))

    def _spawn(self, module_and_args: Sequence[str], output: IO[bytes] | int) -> subprocess.Popen:
        _started[:] = [process for process in _started if process.poll() is None]
        process = subprocess.Popen(
            [sys.executable, "-m", *module_and_args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_DIR,
            env=WORKER_ENVIRONMENT
            | os.environ
            | {"BLOODCELL_HOME": str(self.settings.home), "BLOODCELL_DB": self.settings.db_url},
            start_new_session=True,
        )
        _started.append(process)
        return process
