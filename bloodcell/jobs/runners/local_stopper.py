"""``python -m bloodcell.jobs.runners.local_stopper PID CREATED ASKED_AT``: end a worker that does not stop; see to the queue.

A process of its own, because who cancelled a job may be a page that is closed, or the worker's own starter.
"""

import sys
from collections.abc import Callable, Sequence

from bloodcell.jobs.processes import ProcessId, stop


def _tend() -> None:
    """Imported here: the database is only loaded when the process is gone, as every tenth of a second counts."""
    from bloodcell.jobs.queue import open_queue

    open_queue().tend()


def main(args: Sequence[str], tend: Callable[[], None] = _tend) -> int:
    """Stop the process, then call `tend`."""
    pid, created, asked_at = args
    stop(ProcessId(int(pid), float(created)), float(asked_at))
    tend()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
