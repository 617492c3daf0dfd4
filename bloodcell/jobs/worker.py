"""``python -m bloodcell.jobs.worker JOB_ID ATTEMPT``: do one job, tell of it, then start the next.

Runs in a session of its own, started by a runner for a job that it has claimed.
"""

import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bloodcell.core.errors import JobError, StoppedError
from bloodcell.jobs import store
from bloodcell.jobs.failure_reasons import describe_failure
from bloodcell.jobs.files import LOG_FILE, job_dir
from bloodcell.jobs.kinds.table import find_kind
from bloodcell.jobs.processes import find_process
from bloodcell.jobs.queue import JobQueue, open_queue
from bloodcell.jobs.runners.local import get_host_name
from bloodcell.jobs.task import Heartbeat, Task, retry_write


def main(args: Sequence[str], queue: JobQueue | None = None) -> int:
    """Do the job, whatever may happen to it.

    Parameters
    ----------
    args : number of the job, and of the attempt that was claimed
    queue : the queue; None for that of the environment

    Returns
    -------
    int
        0 if it was done or stopped, 1 if it failed or was not ours to do
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
                raise StoppedError("It was stopped before it began.")
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
