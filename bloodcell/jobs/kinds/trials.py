"""The kind of job "trials": one training repeated with several seeds; a folder of metrics out."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.trials_spec import TrialsSpec


def run(task: Task, spec: TrialsSpec) -> str:
    """Run the trials and return the name of the folder with their metrics."""
    data_dir = task.start_training()
    from bloodcell.experiments.trials import run_trials

    run_trials(task.folder, spec, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(RESULT_DIR)


TRIALS = JobKind(
    name="trials",
    spec_type=TrialsSpec,
    title=lambda spec: f"{spec.n} trials: {spec.train.title or spec.train.name}",
    result_name=lambda spec: f"{spec.train.name}-trials",
    run=run,
    marker="train",
    is_training=True,
)
