"""Jobs on a Ray cluster, through Ray Jobs; needs the extra ``ray``.

The worker and what it reports are those of every runner: its row in the database, its folder in the workspace, both to be
seen from every node. Ray is asked for what only it knows: whether a job still runs, and what it wrote before it could
reach the workspace.
"""

import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bloodcell.core.errors import JobError
from bloodcell.core.installation import CODE_DIR, IS_INSTALLED
from bloodcell.core.settings import Settings
from bloodcell.jobs import files
from bloodcell.jobs.runners.local import HEARTBEAT_TIMEOUT_S, WORKER_MODULE
from bloodcell.jobs.runners.spawn import make_environment, spawn
from bloodcell.jobs.store import Job

STOPPER_MODULE = "bloodcell.jobs.runners.ray_stopper"
REACH_TIMEOUT_S = 3.0
# Between Ray's SIGTERM and its SIGKILL; with the grace of `processes.TERM_AFTER_S` before, less than five seconds.
KILL_WAIT_S = 1
# A job waits in Ray until a node has a processor free, and may then run on any node.
CPUS = 1


class RayRunner:
    """Runs jobs on the Ray cluster that RAY_ADDRESS names.

    Parameters
    ----------
    settings : Settings
        Handed on to the workers.
    worker : str
        The module that does the work of one job.

    Raises
    ------
    JobError
        If no address is set or Ray is not installed.
    """

    def __init__(self, settings: Settings, worker: str = WORKER_MODULE) -> None:
        if not settings.ray_address:
            raise JobError("BLOODCELL_RUNNER=ray needs RAY_ADDRESS, such as http://10.0.0.5:8265. Received: nothing.")
        try:
            import ray.job_submission
        except ImportError as error:
            raise JobError("BLOODCELL_RUNNER=ray needs Ray: pip install 'bloodcell[ray]'.") from error
        for handler in logging.getLogger(ray.__name__).handlers:
            handler.setLevel(logging.ERROR)  # Ray reports at length what it packs
        self.settings, self.worker = settings, worker
        self._client: Any = None

    def start(self, job: Job) -> None:
        """Hand the job to the cluster, with the code as it is here; the worker itself notes where it runs."""
        env_vars = make_environment(self.settings) | {"RAY_JOB_STOP_WAIT_TIME_S": str(KILL_WAIT_S)}
        with self._connect_client() as client:
            client.submit_job(
                entrypoint=f"python -m {self.worker} {job.id} {job.attempt}",
                submission_id=make_submission_id(job),
                runtime_env={"env_vars": env_vars} | self._code(),
                entrypoint_num_cpus=CPUS,
            )

    def _code(self) -> dict[str, Any]:
        """Return what Ray brings to the nodes: the installed package, or the checkout without its workspace."""
        if IS_INSTALLED:
            return {"py_modules": [str(CODE_DIR / "bloodcell")]}
        home = self.settings.home
        excludes = [f"/{home.relative_to(CODE_DIR)}/"] if home.is_relative_to(CODE_DIR) else []
        return {"working_dir": str(CODE_DIR), "excludes": excludes}

    def stop(self, job: Job) -> None:
        """Start a helper that lets Ray end the worker if it does not stop by itself."""
        spawn(self.settings, [STOPPER_MODULE, str(job.id), str(job.attempt), repr(time.time())], subprocess.DEVNULL)

    def end_now(self, job: Job) -> None:
        """Let Ray end the processes of a job: SIGTERM, and SIGKILL after `KILL_WAIT_S`; return at once."""
        with self._connect_client() as client:
            client.stop_job(make_submission_id(job))

    def is_gone(self, job: Job) -> bool:
        """Return whether the worker has ended, by Ray; where Ray does not answer or know it, by its missing heartbeat.

        A cancelled job that still waits in Ray counts as gone: a worker that starts later sees that the job is over.
        """
        try:
            with self._connect_client() as client:
                status = client.get_job_status(make_submission_id(job))
        except JobError:
            return time.time() - (job.heartbeat_at or job.started_at or 0) > HEARTBEAT_TIMEOUT_S
        waits = status == "PENDING" and job.pid is None
        return status.is_terminal() or (waits and bool(job.cancel_asked))

    def read_log(self, job: Job, start: int = 0) -> tuple[str, int]:
        """Read the log in the workspace, or what Ray has kept of all attempts where the last one could not write there.

        A place below 0 is one in what Ray has kept: a reader that began with that goes on with it.
        """
        if start >= 0:
            text, at = files.read_log(self.settings, job.id, start)
            only_ray_knows = job.is_over if job.pid is None else not text
            if start or not only_ray_knows:
                return text, at
        data = self.read_ray_output(job).encode()
        whole = data[-start : data.rfind(b"\n") + 1]
        return whole.decode("utf-8", "replace"), start - len(whole)

    def read_ray_output(self, job: Job) -> str:
        """Read what Ray has kept of the output of all attempts of a job; "" where it knows of none."""
        return "".join(self._read_attempt_output(job, attempt) for attempt in range(1, job.attempt + 1))

    def _read_attempt_output(self, job: Job, attempt: int) -> str:
        submission_id = make_submission_id(job, attempt)
        try:
            with self._connect_client() as client:
                text, info = str(client.get_job_logs(submission_id)), client.get_job_info(submission_id)
        except _UnknownError:
            return ""
        if info.error_type and info.error_type != "JOB_ENTRYPOINT_COMMAND_ERROR":  # then the log has everything
            text += f"{info.message}\n"
        return text

    @contextmanager
    def _connect_client(self) -> Iterator[Any]:
        """Connect to the cluster; what goes wrong comes out as a JobError."""
        from ray.exceptions import RayError
        from ray.job_submission import JobSubmissionClient
        from requests import RequestException

        address = self.settings.ray_address
        try:
            _check_reachable(address)
            if self._client is None:
                self._client = JobSubmissionClient(address)
            yield self._client
        except (_UnreachableError, RequestException, ConnectionError) as error:
            raise JobError(f"The Ray cluster at {address} does not answer; check RAY_ADDRESS.") from error
        except (RayError, RuntimeError, ValueError, OSError) as error:
            if "status code 404" in str(error):
                raise _UnknownError(f"The Ray cluster at {address} does not know the job.") from error
            # The server's errors may be whole tracebacks, whose last line says what it is.
            last_line = next(reversed(str(error).strip(" .\n").splitlines()), type(error).__name__)
            raise JobError(f"The Ray cluster at {address} refused: {last_line}.") from error


class _UnknownError(JobError):
    """Ray has no such job."""


class _UnreachableError(Exception):
    """Nothing listens at the address of the cluster."""


def make_submission_id(job: Job, attempt: int | None = None) -> str:
    """Make the name of an attempt of a job in Ray; by default of the last one.

    It has the time of creation, as the number of a deleted job is used again, and several workspaces may share a cluster.
    """
    return f"bloodcell-{job.id}-{attempt or job.attempt}-{round(job.created_at * 1e6):x}"


def _check_reachable(address: str) -> None:
    """Raise unless something listens there; Ray's client itself would wait for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        try:
            socket.create_connection((parts.hostname, parts.port), REACH_TIMEOUT_S).close()
        except OSError as error:
            raise _UnreachableError(str(error)) from error
