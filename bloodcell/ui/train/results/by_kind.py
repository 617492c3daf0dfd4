"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs import store
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import Job
from bloodcell.ui.train.results import adapt, kfold, masks, search, trials

# Each gives the job that was begun from the result, None where none was.
RESULT_VIEWS: dict[str, Callable[[Job], Job | None]] = {
    TRIALS.name: trials.show,
    KFOLD.name: kfold.show,
    SEARCH.name: search.show,
    ADAPT.name: adapt.show,
    MASKS.name: masks.show,
}


def has_result(job: Job) -> bool:
    """Whether a job has something to show: it is done, or was refused for what it found."""
    return job.kind in RESULT_VIEWS and (job.status == store.DONE or adapt.is_refused(job))
