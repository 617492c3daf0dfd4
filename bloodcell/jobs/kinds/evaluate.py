"""The kind of job "evaluate": its settings in, a folder of answers and figures in the workspace's evaluations out."""

import json
from typing import Any

from bloodcell.evaluation.evaluate import run_evaluation
from bloodcell.evaluation.library import keep_evaluation
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.jobs.kinds.train import READING, data_dir_of
from bloodcell.jobs.task import Task


def check(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of an evaluation."""
    EvaluateSpec.from_json(json.dumps(spec))


def run(task: Task) -> str:
    """Evaluate, and keep what was found; its folder in the workspace's evaluations."""
    spec, last = EvaluateSpec.from_json(json.dumps(task.job.spec)), ""

    def told(what: str, done: int, total: int) -> None:
        nonlocal last
        if what != last:
            task.log(f"{what} ...")
            last = what
        task.report(phase=READING, source=what, done=done, total=total)

    found = run_evaluation(spec, data_dir_of(task), task.settings, told, task.should_stop)
    return keep_evaluation(found, task.folder / "evaluation", spec.name, task.settings)
