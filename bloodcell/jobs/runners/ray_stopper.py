"""``python -m bloodcell.jobs.runners.ray_stopper JOB_ID ATTEMPT ASKED_AT``: let Ray end a worker that does not stop by itself.

A process of its own, because a job may be cancelled by a page that is then closed.
"""

import sys
import time
from collections.abc import Sequence

from bloodcell.jobs.processes import POLL_S, TERM_AFTER_S
from bloodcell.jobs.queue import JobQueue, open_queue
from bloodcell.jobs.runners.ray_cluster import KILL_WAIT_S, RayRunner
from bloodcell.jobs.store import RUNNING, get_job

GONE_TIMEOUT_S = 30.0


def main(args: Sequence[str]) -> int:
    """Wait for the end of the attempt, bring it about if need be, then start what can be started."""
    job_id, attempt, asked_at = int(args[0]), int(args[1]), float(args[2])
    queue = open_queue()
    _wait_until_over(queue, job_id, attempt, asked_at + TERM_AFTER_S)
    job = get_job(queue.db, job_id)
    if (job.attempt, job.status) == (attempt, RUNNING):
        RayRunner(queue.settings).end_now(job)
        _wait_until_over(queue, job_id, attempt, time.time() + KILL_WAIT_S + GONE_TIMEOUT_S)
    queue.dispatch()
    return 0


def _wait_until_over(queue: JobQueue, job_id: int, attempt: int, give_up_at: float) -> None:
    """Poll until the attempt has ended, in the database or in Ray."""
    while time.time() < give_up_at:
        job = get_job(queue.db, job_id)
        if (job.attempt, job.status) != (attempt, RUNNING) or queue.runner.is_gone(job):
            return
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
