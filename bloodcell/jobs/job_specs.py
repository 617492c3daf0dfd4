"""The settings of a job as a file: of which kind they are, and what the job and its result are called."""

import json
from pathlib import Path

from bloodcell.core.spec import json_object
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.jobs.store import NewJob
from bloodcell.model_import.load_spec import LoadSpec
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.masks_spec import MasksSpec
from bloodcell.training.specs.search_spec import SearchSpec
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import TrialsSpec

TRAIN, TRIALS, KFOLD, SEARCH, ADAPT, MASKS = "train", "trials", "kfold", "search", "adapt", "masks"
EVALUATE, LOAD = "evaluate", "load"
EXPLAIN = "explain"  # asked for by pages, see `explain_job`; no settings in a file
# What the Train page lists.
TRAINING = (TRAIN, TRIALS, KFOLD, SEARCH, ADAPT, MASKS)
JobSpec = TrainSpec | TrialsSpec | SearchSpec | AdaptSpec | MasksSpec | EvaluateSpec | LoadSpec


def read_job_spec(text: str) -> JobSpec:
    """Read settings of any kind of training, told apart by what they hold; SpecError if they are of none.

    Those of k-fold are a training spec, and are read as one. What is to be loaded is asked for by itself.
    """
    values = json_object(text)
    if "train" in values:
        return TrialsSpec.from_json(text)
    if "space" in values:
        return SearchSpec.from_json(text)
    if "targets" in values:
        return MasksSpec.from_json(text)
    if "data" in values:
        return EvaluateSpec.from_json(text)
    return AdaptSpec.from_json(text) if "cells" in values else TrainSpec.from_json(text)


def job_of(spec: JobSpec, data_dir: Path, who: str, *, is_kfold: bool = False) -> NewJob:
    """The job that does what a spec says.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    who : who asks for it
    is_kfold : leave every fold of a training spec out once, in place of training one model
    """
    kind, name, title = _kfold_names(spec) if is_kfold and isinstance(spec, TrainSpec) else _names(spec)
    return NewJob(kind, title, name, json.loads(spec.to_json()), str(data_dir), who)


def _names(spec: JobSpec) -> tuple[str, str, str]:
    """Kind and title of a job, and between them what its result is called."""
    if isinstance(spec, TrialsSpec):
        return TRIALS, f"{spec.train.name}-trials", f"{spec.n} trials: {_title(spec.train)}"
    if isinstance(spec, SearchSpec):  # the model of the best settings takes the search's own name
        return SEARCH, f"{spec.name}-search", f"Search, {spec.trials} trials: {_title(spec.base)}"
    if isinstance(spec, EvaluateSpec):
        return EVALUATE, spec.name, spec.job_title
    if isinstance(spec, AdaptSpec):
        return ADAPT, spec.name, spec.job_title
    if isinstance(spec, MasksSpec):
        return MASKS, spec.name, spec.title or spec.name
    if isinstance(spec, LoadSpec):
        return LOAD, spec.name, spec.job_title
    return TRAIN, spec.name, _title(spec)


def _kfold_names(spec: TrainSpec) -> tuple[str, str, str]:
    return KFOLD, f"{spec.name}-kfold", f"{spec.folds} folds: {_title(spec)}"


def _title(train: TrainSpec) -> str:
    return train.title or train.name
