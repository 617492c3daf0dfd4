"""The kind of job "detector": fields with boxes in, a detector of white cells, red cells and platelets out."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.detector_spec import DetectorSpec


def run(task: Task, spec: DetectorSpec) -> str:
    """Train a detector in the job's folder and return its name."""
    data_dir = task.start_training()
    from bloodcell.training.detector.train_detector import train_detector

    train_detector(task.folder, spec, data_dir, TaskProgress(task))
    return task.publish_result(RESULT_DIR)


DETECTOR = JobKind(
    name="detector",
    spec_type=DetectorSpec,
    title=lambda spec: spec.title or spec.name,
    result_name=lambda spec: spec.name,
    run=run,
    gives="detector",
    last_step="Writing and checking the detector",
    marker="box_sources",
    is_training=True,
)
