"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs import store
from bloodcell.jobs.job_specs import ADAPT, KFOLD, MASKS, SEARCH, TRIALS
from bloodcell.jobs.store import Job
from bloodcell.ui.train.results import adapt, kfold, masks, search, trials

# Each gives the job that was begun from the result, None where none was.
RESULTS: dict[str, Callable[[Job], Job | None]] = {
    TRIALS: trials.show,
    KFOLD: kfold.show,
    SEARCH: search.show,
    ADAPT: adapt.show,
    MASKS: masks.show,
}


def has_result(job: Job) -> bool:
    """Whether a job has something to show: it is done, or was refused for what it found."""
    return job.kind in RESULTS and (job.status == store.DONE or adapt.is_refused(job))
