"""What a finished job shows above its curves, by the kind of job."""

from collections.abc import Callable

from bloodcell.jobs.store import Job
from bloodcell.ui import training_mask_result

RESULTS: dict[str, Callable[[Job], None]] = {"masks": training_mask_result.show}
