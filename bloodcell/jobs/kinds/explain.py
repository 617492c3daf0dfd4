"""The kind of job "explain": looks into a network in a worker, since the app loads no Keras; maps in a folder out."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.errors import ExplainError, ModelError, StoppedError, StoreError
from bloodcell.core.io import write_whole
from bloodcell.core.settings import Settings
from bloodcell.explain.explain_cells import explain
from bloodcell.explain.explanation import Explanation, read_explanation
from bloodcell.explain.spec import ExplainSpec, cam_layer_of, fingerprint, needs_keras
from bloodcell.inference.engine import Engine
from bloodcell.jobs.files import drop_older
from bloodcell.jobs.job_specs import EXPLAIN
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import Job, NewJob, list_jobs
from bloodcell.jobs.task import Task
from bloodcell.model_store.folder import ModelInfo, get_model

CROPS_FILE = "crops.npz"
# What was found is kept for so long; asked again later, it is worked out anew.
KEPT_DAYS = 90


def check(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of an explanation."""
    ExplainSpec.from_json(json.dumps(spec))


def run(task: Task) -> str:
    """Explain the crops that `ask` kept; the folder in explanations/."""
    spec = ExplainSpec.from_json(json.dumps(task.job.spec))
    model = get_model(spec.model, task.settings)
    if model.sha256 != spec.model_sha256:
        raise ModelError(f"The model {spec.model} is no longer the one that was asked about.")
    folder = task.settings.explanations_dir / spec.key
    crops = _kept_crops(folder, spec)

    def on_progress(done: int, total: int) -> None:
        if task.should_stop():
            raise StoppedError("It was stopped; nothing was kept.")
        task.report(done=done, total=total)

    if needs_keras(spec.methods):
        task.log("Loading the training library ...")
    found = explain(Engine(model.folder), model.folder, crops, spec.methods, spec.layer, spec.of_class, on_progress)
    found.save(folder)
    return spec.key


def explain_spec(
    model: ModelInfo, crops: np.ndarray, methods: tuple[str, ...], of_class: str = "", layer: str = ""
) -> ExplainSpec:
    """The settings that explain crops, uint8 (N, H, W, 3) as the model takes them; see `ExplainSpec`."""
    return ExplainSpec(model.name, model.sha256, fingerprint(crops), methods, of_class, layer)


def found(settings: Settings, spec: ExplainSpec) -> Explanation | None:
    """What was found before; None where it is yet to be worked out, or was and is damaged."""
    with suppress(ExplainError):
        return read_explanation(settings.explanations_dir / spec.key)
    return None


def ask(queue: JobQueue, spec: ExplainSpec, crops: np.ndarray, who: str) -> Job:
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
        cam_layer_of(model.folder)
    before = job_of(queue, spec)
    if before is not None and not before.is_over:
        return before
    forget(queue, spec)
    drop_older(queue.settings.explanations_dir, KEPT_DAYS)
    _keep_crops(queue.settings.explanations_dir / spec.key, crops)
    what = f"Mean of {spec.of_class}" if spec.of_class else "One cell"
    new = NewJob(EXPLAIN, f"{what}: where {model.name} looks", spec.key, json.loads(spec.to_json()), "", who)
    return queue.submit(new)


def job_of(queue: JobQueue, spec: ExplainSpec) -> Job | None:
    """The newest job of an explanation, None where there is none."""
    return next((job for job in list_jobs(queue.db) if job.kind == EXPLAIN and job.name == spec.key), None)


def forget(queue: JobQueue, spec: ExplainSpec) -> None:
    """Delete the jobs of an explanation that are over, with their logs; what they found stays."""
    for job in list_jobs(queue.db):
        if job.kind == EXPLAIN and job.name == spec.key and job.is_over:
            queue.delete(job.id)


def _keep_crops(folder: Path, crops: np.ndarray) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, crops=crops)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CROPS_FILE, packed.getvalue())
    except OSError as error:
        raise StoreError(f"The cells cannot be kept in {folder}: {error.strerror}.") from error


def _kept_crops(folder: Path, spec: ExplainSpec) -> np.ndarray:
    try:
        with np.load(folder / CROPS_FILE, allow_pickle=False) as arrays:
            crops = arrays["crops"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ExplainError(f"The cells to explain are not in {folder}, or damaged: ask again.") from error
    if fingerprint(crops) != spec.crops_sha256:
        raise ExplainError(f"The cells in {folder} are others than those that were asked about: ask again.")
    return crops
