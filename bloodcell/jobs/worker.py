"""``python -m bloodcell.jobs.worker JOB_ID ATTEMPT``: do one job, report on it, then start the next.

Runs in a session of its own, started by a runner for a job that it has claimed.
"""

import errno
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bloodcell.core.errors import BloodcellError, JobError, StoppedError
from bloodcell.jobs import store
from bloodcell.jobs.files import LOG_FILE, job_dir
from bloodcell.jobs.kinds.table import find_kind
from bloodcell.jobs.processes import find_process
from bloodcell.jobs.queue import JobQueue, open_queue
from bloodcell.jobs.runners.local import get_host_name
from bloodcell.jobs.task import Heartbeat, Task, retry_write

FULL_DISK = "The disk is full. Free some space, then resume; the finished epochs are kept."
_FULL_DISK_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(args: Sequence[str], queue: JobQueue | None = None) -> int:
    """Do the job, whatever may happen to it.

    Parameters
    ----------
    args : sequence of str
        Number of the job, and of the attempt that was claimed.
    queue : JobQueue, optional
        By default that of the environment.

    Returns
    -------
    int
        0 if the job was done or stopped, 1 if it failed or was no longer ours to do.
    """
    queue = queue or open_queue()
    job = store.get_job(queue.db, int(args[0]))
    folder = job_dir(queue.settings, job.id)
    if folder.is_dir():
        _tee_output(folder / LOG_FILE)
    worker = find_process(os.getpid())
    if (
        job.attempt != int(args[1])
        or worker is None
        or not store.register_process(queue.db, job, get_host_name(), worker.pid, worker.created)
    ):
        sys.stdout.write(f"attempt {args[1]} of job {job.id} is no longer wanted\n")
        return 1
    task = Task(job, queue.settings, folder)
    task.log(
        f"job {job.id} ({job.kind}: {job.title}), attempt {job.attempt}, process {worker.pid} on {get_host_name()}"
    )
    status, error, result = store.DONE, "", ""
    try:
        with Heartbeat(queue.db, task):
            if task.should_stop():
                raise StoppedError("The job was stopped before it started.")
            if not folder.is_dir():
                raise JobError(
                    f"{get_host_name()} does not see the job's folder {folder}: every machine that runs jobs must see the"
                    " workspace under the same path."
                )
            result = find_kind(job.kind, queue.kinds).run_job(task)
    except StoppedError as stopped:
        status = store.CANCELLED
        task.log(str(stopped))
    except Exception as failure:  # noqa: BLE001 - whatever it is, the job must end as failed with the reason
        status, error = store.FAILED, describe_failure(failure)
        task.log(traceback.format_exc())
    task.log(" ".join([status, error or result]).strip())
    retry_write(lambda: store.end_attempt(queue.db, job, status, error, result))
    queue.dispatch()
    return 1 if status == store.FAILED else 0


def describe_failure(error: BaseException) -> str:
    """Say why a job failed, in one sentence for the person who asked for it.

    Returns
    -------
    str
        The sentence of our own errors; what the system refused, and where; else the name of the error, to be read with
        the log. A full disk is recognised behind the errors that libraries make of it.

    Examples
    --------
    >>> describe_failure(MemoryError())
    'There is not enough memory: use a smaller batch size or network.'
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if any(_is_full_disk(link) for link in chain):
        return FULL_DISK
    if isinstance(error, BloodcellError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "There is not enough memory: use a smaller batch size or network."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"The system refused: {where}{error.strerror}."
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"Unexpected {type(error).__name__}: {first_line[:200].rstrip('.')}; see the log."


def _is_full_disk(error: BaseException) -> bool:
    if not isinstance(error, OSError):
        return False
    return error.errno in _FULL_DISK_NUMBERS or "No space left on device" in str(error)  # HDF5 says it in words only


def _tee_output(log: Path) -> None:
    """Copy all that this process writes to the job's log, unless its runner lets it go there anyway."""
    if log.exists() and os.path.samestat(log.stat(), os.fstat(1)):
        return
    tee = subprocess.Popen(["tee", "-a", str(log)], stdin=subprocess.PIPE)  # ends with this process
    if tee.stdin is not None:
        os.dup2(tee.stdin.fileno(), 1)
        os.dup2(tee.stdin.fileno(), 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
