"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs import store
from bloodcell.jobs.store import Job
from bloodcell.ui import training_adapt_results

RESULTS: dict[str, Callable[[Job], None]] = {"adapt": training_adapt_results.show}


def has_result(job: Job) -> bool:
    """Whether a job has something to show: it is done, or was refused for what it found."""
    return job.kind in RESULTS and (job.status == store.DONE or training_adapt_results.is_refused(job))
