"""``python -m bloodcell.jobs.runners.local_stopper PID CREATED ASKED_AT``: end a worker that does not stop; see to the queue.

A process of its own, because who cancelled a job may be a page that is closed, or the worker's own starter.
"""

import sys
from collections.abc import Callable, Sequence

from bloodcell.jobs.processes import ProcessId, stop_process


def _dispatch() -> None:
    """Imported here: the database is only loaded when the process is gone, as every tenth of a second counts."""
    from bloodcell.jobs.queue import open_queue

    open_queue().dispatch()


def main(args: Sequence[str], dispatch: Callable[[], None] = _dispatch) -> int:
    """Stop the process, then call `dispatch`."""
    pid, created, asked_at = args
    stop_process(ProcessId(int(pid), float(created)), float(asked_at))
    dispatch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
