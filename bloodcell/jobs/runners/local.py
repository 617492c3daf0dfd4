"""Jobs as processes of this machine, each in a session of its own, so that they outlive the process that starts them."""

import socket
import subprocess
import time

from bloodcell.core.errors import JobError
from bloodcell.core.settings import Settings
from bloodcell.jobs import files
from bloodcell.jobs.files import LOG_FILE, job_dir
from bloodcell.jobs.processes import ProcessId, find_process, is_alive
from bloodcell.jobs.runners.spawn import spawn
from bloodcell.jobs.store import Job

WORKER_MODULE, STOPPER_MODULE = "bloodcell.jobs.worker", "bloodcell.jobs.runners.local_stopper"
# A claimed job without a known process by then was lost with the process that claimed it.
START_TIMEOUT_S = 60.0
# A process on another machine is known by its heartbeat only.
HEARTBEAT_TIMEOUT_S = 60.0


def get_host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


class LocalRunner:
    """Runs jobs as processes of this machine.

    Parameters
    ----------
    settings : Settings
        Handed on to the workers.
    worker, stopper : str
        The modules that do the work of one job, and that end a worker by force.
    """

    def __init__(self, settings: Settings, worker: str = WORKER_MODULE, stopper: str = STOPPER_MODULE) -> None:
        self.settings, self.worker, self.stopper = settings, worker, stopper

    def start(self, job: Job) -> tuple[str, int, float] | None:
        """Start the worker, whose output goes to the job's log; return host, pid and creation time."""
        try:
            folder = job_dir(self.settings, job.id)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LOG_FILE).open("ab") as log:
                process = spawn(self.settings, [self.worker, str(job.id), str(job.attempt)], log)
        except OSError as error:
            raise JobError(f"The worker cannot be started: {error.strerror}.") from error
        worker = find_process(process.pid)
        return None if worker is None else (get_host_name(), worker.pid, worker.created)

    def stop(self, job: Job) -> None:
        """Start a helper that ends the worker by force if it does not stop by itself."""
        if job.pid is not None and job.pid_created is not None and job.host == get_host_name():
            args = [str(job.pid), repr(job.pid_created), repr(time.time())]
            spawn(self.settings, [self.stopper, *args], subprocess.DEVNULL)

    def is_gone(self, job: Job) -> bool:
        """Return whether the worker has ended, by its id and creation time; on another machine by its missing heartbeat."""
        now = time.time()
        if job.pid is None or job.pid_created is None:
            return now - (job.started_at or 0) > START_TIMEOUT_S
        if job.host != get_host_name():
            return now - (job.heartbeat_at or 0) > HEARTBEAT_TIMEOUT_S
        return not is_alive(ProcessId(job.pid, job.pid_created))

    def read_log(self, job: Job, start: int = 0) -> tuple[str, int]:
        """Read the log in the job's folder; see `files.read_log`."""
        return files.read_log(self.settings, job.id, start)
