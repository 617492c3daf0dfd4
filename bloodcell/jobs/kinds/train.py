"""The kind of job "train": a training spec in, a model in the library out."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.specs.train_spec import TrainSpec


def run(task: Task, spec: TrainSpec) -> str:
    """Train in the job's folder and return the name of the model."""
    data_dir = task.start_training()
    from bloodcell.training.fitting.train import MODEL_DIR, train_in_folder

    train_in_folder(task.folder, spec, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(MODEL_DIR)


TRAIN = JobKind(
    name="train",
    spec_type=TrainSpec,
    title=lambda spec: spec.title or spec.name,
    result_name=lambda spec: spec.name,
    run=run,
    gives="model",
    last_step="Setting the thresholds, writing and checking the model",
    marker="sources",
    is_training=True,
)
