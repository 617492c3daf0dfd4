"""``python -m bloodcell.jobs.runners.local_stopper PID CREATED ASKED_AT``: end a worker that does not stop; start the next.

A process of its own, because a job may be cancelled by a page that is then closed, or by the process that started it.
"""

import sys
from collections.abc import Callable, Sequence

from bloodcell.jobs.processes import ProcessId, stop_process


def _dispatch() -> None:
    """Start what can be started; the database is only imported now, as every tenth of a second counts before."""
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
