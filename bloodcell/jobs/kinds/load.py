"""The kind of job "load": a model's file in, a model in the library out; all that opens the file is a sandboxed process."""

import shutil
from pathlib import Path

from bloodcell.core.progress import Control
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import LOADING, Task
from bloodcell.model_import.load_spec import LoadSpec


def run(task: Task, spec: LoadSpec) -> str:
    """Load the model in the job's folder; its name in the library."""
    from bloodcell.model_import.sandbox import load_in_sandbox
    from bloodcell.model_store.publish import publish_model

    work_dir = task.folder / LOADING
    try:
        folder, smoke_test = load_in_sandbox(work_dir, spec, _Steps(task))
        task.log(f"tried on {smoke_test.n_cells} drawn cells: {smoke_test.ms_per_cell} ms per cell")
        return publish_model(folder, task.job.name, task.settings)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


class _Steps(Control):
    """Tells each step in the job's progress, as `phase` "loading" and `step`, and in its log."""

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
