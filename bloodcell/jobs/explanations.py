"""Explanations as pages ask for them: found where they were worked out before, else a job, whose crops are kept for it."""

from contextlib import suppress

import numpy as np

from bloodcell.core.errors import ExplainError
from bloodcell.core.settings import Settings
from bloodcell.explain.explanation import Explanation, read_explanation
from bloodcell.explain.spec import ExplainSpec, find_cam_layer, needs_keras
from bloodcell.explain.stored_crops import hash_crops, store_crops
from bloodcell.jobs.files import delete_old_files
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import Job, list_jobs
from bloodcell.model_store.library import ModelInfo, get_model

# What was found is kept for so long; asked again later, it is worked out anew.
RETENTION_DAYS = 90


def make_explain_spec(
    model: ModelInfo, crops: np.ndarray, methods: tuple[str, ...], of_class: str = "", layer: str = ""
) -> ExplainSpec:
    """The settings that explain crops, uint8 (N, H, W, 3) as the model takes them; see `ExplainSpec`."""
    return ExplainSpec(model.name, model.sha256, hash_crops(crops), methods, of_class, layer)


def find_explanation(settings: Settings, spec: ExplainSpec) -> Explanation | None:
    """What was found before; None where it is yet to be worked out, or was and is damaged."""
    with suppress(ExplainError):
        return read_explanation(settings.explanations_dir / spec.key)
    return None


def submit_explanation(queue: JobQueue, spec: ExplainSpec, crops: np.ndarray, who: str) -> Job:
    """Keep the crops and begin the job, unless it waits or runs already; what ended without a result begins anew.

    Raises
    ------
    ExplainError
        If the model cannot be looked into: told now, not by the job.
    StoreError
        If the workspace cannot be written to.
    """
    model = get_model(spec.model, queue.settings)
    if needs_keras(spec.methods):
        find_cam_layer(model.folder)
    before = find_job(queue, spec)
    if before is not None and not before.is_over:
        return before
    delete_finished_jobs(queue, spec)
    delete_old_files(queue.settings.explanations_dir, RETENTION_DAYS)
    store_crops(queue.settings.explanations_dir / spec.key, crops)
    return queue.submit(EXPLAIN.make_job(spec, "", who))


def find_job(queue: JobQueue, spec: ExplainSpec) -> Job | None:
    """The newest job of an explanation, None where there is none."""
    return next((job for job in list_jobs(queue.db) if job.kind == EXPLAIN.name and job.name == spec.key), None)


def delete_finished_jobs(queue: JobQueue, spec: ExplainSpec) -> None:
    """Delete the jobs of an explanation that are over, with their logs; what they found stays."""
    for job in list_jobs(queue.db):
        if job.kind == EXPLAIN.name and job.name == spec.key and job.is_over:
            queue.delete(job.id)
