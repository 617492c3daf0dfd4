"""The kind of job "load": a model's file in, a model on the shelf out; all that opens the file is a limited process."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from bloodcell.core.errors import StoreError
from bloodcell.core.io import write_whole
from bloodcell.core.progress import Control
from bloodcell.core.settings import Settings
from bloodcell.jobs.files import drop_older
from bloodcell.jobs.task import Task
from bloodcell.model_import.load_spec import LoadSpec
from bloodcell.model_import.sandbox import load_limited
from bloodcell.model_store.publish import publish

LOADING = "loading"
# A file is kept for so long, so that its job can be tried again.
KEPT_DAYS = 7


def check(spec: dict[str, Any]) -> None:
    """Raise SpecError or ModelError unless these are the settings of a loading."""
    LoadSpec.from_json(json.dumps(spec))


def run(task: Task) -> str:
    """Load the model in the job's folder and put it on the shelf; its folder in runs/."""
    spec, work_dir = LoadSpec.from_json(json.dumps(task.job.spec)), task.folder / LOADING
    try:
        folder, trial = load_limited(work_dir, spec, _Steps(task))
        task.log(f"tried on {trial['n_cells']} drawn cells: {trial['ms_per_cell']} ms a cell")
        return publish(folder, task.job.name, task.settings)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


def keep_file(data: bytes, file_name: str, settings: Settings) -> Path:
    """Keep the bytes of a model's file in the workspace, under their SHA-256, and let older ones go (`KEPT_DAYS`).

    Raises
    ------
    StoreError
        If the disk is full or refuses.
    """
    drop_older(settings.models_in_dir, KEPT_DAYS)
    path = settings.models_in_dir / f"{hashlib.sha256(data).hexdigest()}{Path(file_name).suffix.lower()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise StoreError(f"The file of the model cannot be stored: {error.strerror}.") from error
    return path


class _Steps(Control):
    """Tells each step in the job's progress, as `phase` "loading" and `step`, and in its log."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def log(self, line: str) -> None:
        self.task.report(phase=LOADING, step=line)
        self.task.log(line)

    def should_stop(self) -> bool:
        return self.task.should_stop()
