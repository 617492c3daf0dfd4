"""Explanations as pages ask for them: read where they were computed before, else computed by a job, which needs the crops."""

from contextlib import suppress

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ExplainError
from bloodcell.core.settings import Settings
from bloodcell.explain.explanation import Explanation, hash_crops, read_explanation, store_crops
from bloodcell.explain.spec import ExplainSpec, find_cam_layer, needs_keras
from bloodcell.jobs.files import delete_old_files
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import Job, list_jobs
from bloodcell.model_store.library import ModelInfo, get_model

# An explanation is kept this long; asked for later, it is computed again.
RETENTION_DAYS = 90


def make_explain_spec(
    model: ModelInfo, crops: npt.NDArray[np.uint8], methods: tuple[str, ...], of_class: str = "", layer: str = ""
) -> ExplainSpec:
    """Make the spec that explains crops.

    Parameters
    ----------
    model : ModelInfo
    crops : ndarray of uint8, shape (N, H, W, 3)
        As the model's input spec says.
    methods, of_class, layer
        As in `ExplainSpec`.
    """
    return ExplainSpec(model.name, model.sha256, hash_crops(crops), methods, of_class, layer)


def find_explanation(settings: Settings, spec: ExplainSpec) -> Explanation | None:
    """Return the explanation that a spec asks for; None where it is still to be computed, or damaged."""
    with suppress(ExplainError):
        return read_explanation(settings.explanations_dir / spec.key)
    return None


def submit_explanation(queue: JobQueue, spec: ExplainSpec, crops: npt.NDArray[np.uint8], who: str) -> Job:
    """Store the crops and queue the job, unless one is queued or running; a job that ended is replaced.

    Raises
    ------
    ExplainError
        If the network of the model cannot be explained: said now, not by the job.
    StoreError
        If the workspace cannot be written to.
    """
    model = get_model(spec.model, queue.settings)
    if needs_keras(spec.methods):
        find_cam_layer(model.folder)
    newest = find_job(queue, spec)
    if newest is not None and not newest.is_over:
        return newest
    delete_finished_jobs(queue, spec)
    delete_old_files(queue.settings.explanations_dir, RETENTION_DAYS)
    store_crops(queue.settings.explanations_dir / spec.key, crops)
    return queue.submit(EXPLAIN.make_job(spec, "", who))


def find_job(queue: JobQueue, spec: ExplainSpec) -> Job | None:
    """Return the newest job of an explanation; None where there is none."""
    return next((job for job in list_jobs(queue.db) if job.kind == EXPLAIN.name and job.name == spec.key), None)


def delete_finished_jobs(queue: JobQueue, spec: ExplainSpec) -> None:
    """Delete the jobs of an explanation that are over, with their logs; the explanation stays."""
    for job in list_jobs(queue.db):
        if job.kind == EXPLAIN.name and job.name == spec.key and job.is_over:
            queue.delete(job.id)
