"""The kind of job "load": a model's file in, a model in the library out; only a sandboxed process opens the file."""

import hashlib
import shutil
from pathlib import Path

from bloodcell.core.errors import StoreError
from bloodcell.core.installation import require_training
from bloodcell.core.io import write_atomic
from bloodcell.core.progress import Control
from bloodcell.core.settings import Settings
from bloodcell.jobs.files import delete_old_files
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import LOADING, Task
from bloodcell.model_import.load_spec import LoadSpec

# An uploaded file is kept this long, so that its job can be tried again.
RETENTION_DAYS = 7


def store_model_file(data: bytes, file_name: str, settings: Settings) -> Path:
    """Store an uploaded model file until its job has read it, and delete files older than `RETENTION_DAYS`.

    Parameters
    ----------
    data : bytes
    file_name : str
        Its ending is kept; the name is that of the content, its SHA-256.
    settings : Settings

    Returns
    -------
    Path
        For `LoadSpec.file`.

    Raises
    ------
    StoreError
        If the disk is full or refuses.
    """
    delete_old_files(settings.incoming_models_dir, RETENTION_DAYS)
    path = settings.incoming_models_dir / f"{hashlib.sha256(data).hexdigest()}{Path(file_name).suffix.lower()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise StoreError(f"The model file cannot be stored: {error.strerror}.") from error
    return path


def run(task: Task, spec: LoadSpec) -> str:
    """Load the model in the job's folder and return its name in the library."""
    from bloodcell.model_import.sandbox import load_in_sandbox
    from bloodcell.model_store.publish import publish_model

    require_training("Loading a model")
    work_dir = task.folder / LOADING
    try:
        folder, smoke_test = load_in_sandbox(work_dir, spec, _LoadProgress(task))
        task.log(f"tried on {smoke_test.n_cells} drawn cells: {smoke_test.ms_per_cell} ms per cell")
        return publish_model(folder, task.job.name, task.settings)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


class _LoadProgress(Control):
    """Report each step in the job's progress, as `phase` "loading" and `step`, and in its log."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def log(self, line: str) -> None:
        self.task.report(phase=LOADING, step=line)
        self.task.log(line)

    def should_stop(self) -> bool:
        return self.task.should_stop()


LOAD = JobKind(
    name="load",
    spec_type=LoadSpec,
    title=lambda spec: f"Load {spec.file_name or Path(spec.file).name}",
    result_name=lambda spec: spec.name,
    run=run,
    gives="model",
    is_short=True,
)
