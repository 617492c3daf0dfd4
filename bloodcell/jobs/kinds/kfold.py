"""The kind of job "kfold": each fold of a training held out once; a folder of metrics out."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.train_spec import TrainSpec


def run(task: Task, spec: TrainSpec) -> str:
    """Train once per fold and return the name of the folder with the metrics."""
    data_dir = task.start_training()
    from bloodcell.experiments.k_fold import run_k_fold

    run_k_fold(task.folder, spec, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(RESULT_DIR)


KFOLD = JobKind(
    name="kfold",
    spec_type=TrainSpec,
    title=lambda spec: f"{spec.folds} folds: {spec.title or spec.name}",
    result_name=lambda spec: f"{spec.name}-kfold",
    run=run,
    is_training=True,
)
