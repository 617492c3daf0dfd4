"""The kinds of jobs "trials", "kfold", "search" and "adapt".

The first three leave a folder of figures in runs/, the last a model.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bloodcell.jobs.kinds.train import Reporter, data_dir_of, publish_result
from bloodcell.jobs.task import Task
from bloodcell.model_store.folder import get_model, read_model
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.search_spec import SearchSpec
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import TrialsSpec


def check_trials(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of trials: {"train": a TrainSpec, "n": number}."""
    TrialsSpec.from_json(json.dumps(spec))


def check_kfold(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of a training run."""
    TrainSpec.from_json(json.dumps(spec))


def check_search(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of a search."""
    SearchSpec.from_json(json.dumps(spec))


def check_adapt(spec: dict[str, Any]) -> None:
    """Raise SpecError unless these are the settings of an adaptation."""
    AdaptSpec.from_json(json.dumps(spec))


def trials(task: Task) -> str:
    """Run the trials; the folder of their figures in runs/."""
    spec, data_dir = TrialsSpec.from_json(json.dumps(task.job.spec)), _begin(task)
    from bloodcell.experiments.trials import run_trials

    return _figures(task, lambda: run_trials(task.folder, spec, data_dir, _cache(task), Reporter(task)))


def kfold(task: Task) -> str:
    """Train every fold once; the folder of the figures in runs/."""
    spec, data_dir = TrainSpec.from_json(json.dumps(task.job.spec)), _begin(task)
    from bloodcell.experiments.k_fold import run_k_fold

    return _figures(task, lambda: run_k_fold(task.folder, spec, data_dir, _cache(task), Reporter(task)))


def search(task: Task) -> str:
    """Search for better settings; the folder with the best spec in runs/."""
    spec, data_dir = SearchSpec.from_json(json.dumps(task.job.spec)), _begin(task)
    from bloodcell.experiments.search import run_search

    return _figures(task, lambda: run_search(task.folder, spec, data_dir, _cache(task), Reporter(task)))


def adapt(task: Task) -> str:
    """Continue a model; the new one's folder in runs/. RunError if it is not better: adapt.json in the job's folder."""
    spec, data_dir = AdaptSpec.from_json(json.dumps(task.job.spec)), _begin(task)
    folder = Path(spec.model)
    model = read_model(folder) if (folder / "spec.json").is_file() else get_model(spec.model, task.settings)
    from bloodcell.experiments.adapt import MODEL_DIR, run_adapt

    run_adapt(task.folder, spec, model.folder, data_dir, _cache(task), Reporter(task))
    return publish_result(task, MODEL_DIR)


def _begin(task: Task) -> Path:
    data_dir = data_dir_of(task)
    task.log("Loading the training library ...")
    return data_dir


def _cache(task: Task) -> Path:
    return task.settings.home / "cache"


def _figures(task: Task, work: Callable[[], object]) -> str:
    from bloodcell.training.output.result_folder import RESULT_DIR

    work()
    return publish_result(task, RESULT_DIR)
