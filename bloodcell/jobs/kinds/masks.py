"""The kind of job "masks": images and masks in, a U-Net that segments the cell out."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.masks_spec import MasksSpec


def run(task: Task, spec: MasksSpec) -> str:
    """Train a U-Net in the job's folder and return its name."""
    data_dir = task.start_training()
    from bloodcell.training.masks.train_masks import train_mask_model

    train_mask_model(task.folder, spec, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(RESULT_DIR)


MASKS = JobKind(
    name="masks",
    spec_type=MasksSpec,
    title=lambda spec: spec.title or spec.name,
    result_name=lambda spec: spec.name,
    run=run,
    gives="U-Net",
    last_step="Writing and checking the U-Net",
    marker="targets",
    is_training=True,
)
