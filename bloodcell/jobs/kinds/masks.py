"""The kind of job "masks": the settings of a U-Net in, its folder in runs/ out."""

import json
from typing import Any

from bloodcell.jobs.kinds.train import Reporter, data_dir_of, publish_result
from bloodcell.jobs.task import Task
from bloodcell.training.specs.masks_spec import MasksSpec


def check(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of a U-Net."""
    MasksSpec.from_json(json.dumps(spec))


def run(task: Task) -> str:
    """Teach a U-Net in the job's folder; its folder in runs/."""
    spec, data_dir = MasksSpec.from_json(json.dumps(task.job.spec)), data_dir_of(task)
    task.log("Loading the training library ...")
    from bloodcell.training.masks.train_masks import teach_masks
    from bloodcell.training.output.result_folder import RESULT_DIR

    teach_masks(task.folder, spec, data_dir, task.settings.home / "cache", Reporter(task))
    return publish_result(task, RESULT_DIR)
