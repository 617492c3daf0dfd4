"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs import store
from bloodcell.jobs.job_specs import ADAPT, KFOLD, MASKS, SEARCH, TRIALS
from bloodcell.jobs.store import Job
from bloodcell.ui import (
    training_adapt_results,
    training_kfold_results,
    training_mask_result,
    training_search_results,
    training_trials_results,
)

# Each gives the job that was begun from the result, None where none was.
RESULTS: dict[str, Callable[[Job], Job | None]] = {
    TRIALS: training_trials_results.show,
    KFOLD: training_kfold_results.show,
    SEARCH: training_search_results.show,
    ADAPT: training_adapt_results.show,
    MASKS: training_mask_result.show,
}


def has_result(job: Job) -> bool:
    """Whether a job has something to show: it is done, or was refused for what it found."""
    return job.kind in RESULTS and (job.status == store.DONE or training_adapt_results.is_refused(job))
