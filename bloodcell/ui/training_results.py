"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs.store import Job

RESULTS: dict[str, Callable[[Job], None]] = {}
