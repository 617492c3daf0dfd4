"""The kind of job "evaluate": a model and labelled images in, an evaluation with metrics and intervals out."""

from bloodcell.core.io import find_data_dir
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import READING, Task


def run(task: Task, spec: EvaluateSpec) -> str:
    """Evaluate and return the name of the evaluation in the workspace."""
    from bloodcell.evaluation.evaluate import run_evaluation
    from bloodcell.evaluation.library import store_evaluation

    last_step = ""

    def on_progress(step: str, done: int, total: int) -> None:
        nonlocal last_step
        if step != last_step:
            task.log(f"{step} ...")
            last_step = step
        task.report(phase=READING, source=step, done=done, total=total)

    evaluation = run_evaluation(spec, find_data_dir(task.job.data_dir), task.settings, on_progress, task.should_stop)
    return store_evaluation(evaluation, task.folder / "evaluation", spec.name, task.settings)


EVALUATE = JobKind(
    name="evaluate",
    spec_type=EvaluateSpec,
    title=lambda spec: spec.display_title,
    result_name=lambda spec: spec.name,
    run=run,
    gives="evaluation",
    marker="data",
    is_short=True,
)
