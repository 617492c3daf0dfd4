"""Folders as trials, k-fold and search write them, from answers that are put into their checkpoints: nothing is trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from bloodcell.core.progress import Control
from bloodcell.experiments.k_fold import run_k_fold
from bloodcell.experiments.search import STUDY_FILE, _open_study, run_search
from bloodcell.experiments.trials import run_trials
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.search_spec import Choices, Range, SearchSpec
from bloodcell.training.specs.trials_spec import TrialsSpec
from tests.training.tiny_run import SPEC, make_epoch, write_cells

TITLED = replace(SPEC, title="Drawn cells")
SPACE = (("learning_rate", Range(1e-4, 1e-2, log=True)), ("scaling", Choices(("-1..1", "channel"))))
SEARCH = SearchSpec("drawn", TITLED, SPACE, trials=4)
_DONE: list[Path] = []


def result_folders(tmp_path_factory) -> Path:
    """Folder that holds the folders trials, kfold and search; made once a session."""
    if not _DONE:
        work = tmp_path_factory.mktemp("result-folders")
        data_dir = write_cells(work / "data")
        results = work / "results"
        results.mkdir()
        for name, make in (("trials", _trials), ("kfold", _kfold), ("search", _search)):
            make(work / name, data_dir)
            (work / name / RESULT_DIR).rename(results / name)
        _DONE.append(results)
    return _DONE[0]


def _answers(work_dir: Path, data_dir: Path, is_right: dict[int, bool], fold_of_fit: dict[int, int]) -> None:
    """Put the answers of fits into the checkpoints of a run: each all right, or all wrong, after two epochs."""
    samples = load_samples(SPEC, data_dir, data_dir.parent / "cache")
    folds = assign_folds(SPEC, samples)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, TITLED, samples)
    for fit, right in is_right.items():
        held_out = samples.take(folds == fold_of_fit[fit])
        logits = np.eye(4, dtype=np.float32)[held_out.class_index] * 9
        outputs = Outputs(logits if right else np.roll(logits, 1, axis=1), logits.max(axis=1), 0 * logits[:, 0] + 1)
        rows = [make_epoch(epoch, fit=fit) for epoch in (1, 2)]
        checkpoints.save_predictions(fit, outputs, rows)


def _trials(work_dir: Path, data_dir: Path) -> None:
    """Three trials; the last is wrong throughout."""
    _answers(work_dir, data_dir, {1: True, 2: True, 3: False}, dict.fromkeys((1, 2, 3), SPEC.fold))
    run_trials(work_dir, TrialsSpec(TITLED, 3), data_dir, data_dir.parent / "cache", Control())


def _kfold(work_dir: Path, data_dir: Path) -> None:
    """Three parts; what is held out in the last is answered wrongly."""
    _answers(work_dir, data_dir, {1: True, 2: True, 3: False}, {1: 0, 2: 1, 3: 2})
    run_k_fold(work_dir, TITLED, data_dir, data_dir.parent / "cache", Control())


def _search(work_dir: Path, data_dir: Path) -> None:
    """Four trials: log loss 0.9, then 0.4, then one given up and one that diverged."""
    (work_dir / CHECKPOINT_DIR).mkdir(parents=True)
    kinds = {
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "scaling": CategoricalDistribution(['"-1..1"', '"channel"']),
    }
    with _open_study(work_dir / CHECKPOINT_DIR / STUDY_FILE, SEARCH) as study:
        for fit, (state, value, rate, scaling) in enumerate(
            (
                (TrialState.COMPLETE, 0.9, 1e-4, "-1..1"),
                (TrialState.COMPLETE, 0.4, 2e-3, "channel"),
                (TrialState.PRUNED, None, 1e-3, "-1..1"),
                (TrialState.FAIL, None, 1e-2, "channel"),
            ),
            start=1,
        ):
            attrs: dict[str, Any] = {"fit": fit} | ({"state": "diverged"} if state == TrialState.FAIL else {})
            if value is not None:
                attrs["figures"] = {"accuracy": 1 - value / 2, "balanced_accuracy": 1 - value / 2, "log_loss": value}
            params = {"learning_rate": rate, "scaling": json.dumps(scaling)}
            study.add_trial(
                create_trial(state=state, value=value, params=params, distributions=kinds, user_attrs=attrs)
            )
    run_search(work_dir, SEARCH, data_dir, data_dir.parent / "cache", Control())
