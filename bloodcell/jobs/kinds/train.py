"""The kind of job "train": a training spec in, a model on the shelf out."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import Control, Progress
from bloodcell.jobs.files import CHECKPOINT_DIR
from bloodcell.jobs.task import Task
from bloodcell.model_store.publish import publish
from bloodcell.training.specs.train_spec import TrainSpec

READING, LEARNING = "reading", "learning"


def check(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of a training run."""
    TrainSpec.from_json(json.dumps(spec))


def run(task: Task) -> str:
    """Train in the job's folder and put the model on the shelf; its folder in runs/."""
    spec = TrainSpec.from_json(json.dumps(task.job.spec))
    data_dir = data_dir_of(task)
    task.log("Loading the training library ...")
    from bloodcell.training.fitting.fit import MODEL_DIR, train_in

    train_in(task.folder, spec, data_dir, task.settings.home / "cache", Reporter(task))
    return publish_result(task, MODEL_DIR)


def data_dir_of(task: Task) -> Path:
    """The job's data folder; DatasetError if it is not there."""
    data_dir = Path(task.job.data_dir)
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    return data_dir


def publish_result(task: Task, folder: str) -> str:
    """Move a folder of the job's own to runs/ and forget what the job would go on from; its name there."""
    name = publish(task.folder / folder, task.job.name, task.settings)
    shutil.rmtree(task.folder / CHECKPOINT_DIR)
    return name


class Reporter(Control):
    """Tells of a training run in the job's progress and log.

    The progress holds `phase`: "reading" with source, done, total; or "learning" with what `core.progress.Progress`
    holds, and once an epoch is finished that epoch's row of history.csv as `last_epoch`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def reading(self, source: str, done: int, total: int) -> None:
        """Tell how many images are read."""
        self.task.report(phase=READING, source=source, done=done, total=total)

    def progress(self, at: Progress) -> None:
        """Tell where the run stands."""
        self.task.report(phase=LEARNING, **asdict(at))

    def epoch_done(self, row: dict) -> None:
        """Tell the figures of an epoch."""
        self.task.report(last_epoch=row)

    def log(self, line: str) -> None:
        """Write a line to the job's log."""
        self.task.log(line)

    def should_stop(self) -> bool:
        """Whether the job was cancelled."""
        return self.task.should_stop()
