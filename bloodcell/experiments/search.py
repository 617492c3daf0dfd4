"""Search for better settings with Optuna: each trial is one fit, measured on held-out cells, poor ones given up early."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from bloodcell.core.errors import BloodcellError, ModelError, RunError, SpecError
from bloodcell.core.progress import Control, Progress
from bloodcell.experiments.results.search import SearchRow, SearchSummary, write_search
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR
from bloodcell.training.fitting.cross_validation import compute_final_metrics, format_selection_note, predict_fold
from bloodcell.training.fitting.run_setup import TrainingRun, open_training_run
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.output.result_folder import (
    BROKEN_OFF,
    DIVERGED,
    DONE,
    GIVEN_UP,
    IMPOSSIBLE,
    TRIALS_TABLE,
    write_table,
)
from bloodcell.training.specs.search_spec import MONITORED_METRICS, Range, SearchSpec
from bloodcell.training.specs.train_spec import TrainSpec

STUDY_FILE = "study.db"
ENDED_STATES = (DONE, GIVEN_UP, DIVERGED, IMPOSSIBLE)
# With fewer trials nothing can be said about which setting matters.
MIN_TRIALS_FOR_IMPORTANCE = 8


def run_search(work_dir: Path, search: SearchSpec, data_dir: Path, cache_dir: Path, control: Control) -> SearchSummary:
    """Search inside one folder, resuming where an earlier call ended.

    Trials are stored in an SQLite file in its checkpoint folder. A trial that was running when the process was killed
    is marked as failed, and the same settings are tried again from their last finished epoch. After each trial
    trials.csv of `work_dir` is written. In the end the folder `result` has spec.json (the best settings, to train
    with), search.json, trials.csv and the history of each trial.

    Parameters
    ----------
    work_dir : Path
        Folder of the run.
    search : SearchSpec
        The base settings, and which of them are searched.
    data_dir : Path
        Folder that the sources' paths start from.
    cache_dir : Path
        Folder for crops, shared by runs.
    control : Control
        Follows the trials, as fits, and may stop them.

    Returns
    -------
    SearchSummary
        Contents of search.json. States of trials: done; given up; diverged; impossible (no such network can be built);
        broken off, with another trial in its place.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    DatasetError
        If a source cannot be read, or a class has no cell.
    RunError
        If the folder holds another search, or no trial was finished.
    """
    training_run = open_training_run(work_dir, search.base, data_dir, cache_dir, search.trials, control)
    with _open_study(work_dir / CHECKPOINT_DIR / STUDY_FILE, search) as study:
        _retry_broken_off(study)
        _run_trials(study, search, training_run, work_dir / TRIALS_TABLE)
        summary, best_spec = _summarise(study, search, training_run)
    write_search(work_dir, summary, best_spec, training_run.context.checkpoints.read_history())
    return summary


def _run_trials(study: optuna.Study, search: SearchSpec, training_run: TrainingRun, table: Path) -> None:
    """Run trials until as many as are asked for have ended."""
    control = training_run.context.control
    while (n_ended := sum(_read_state(trial) in ENDED_STATES for trial in study.trials)) < search.trials:
        study.sampler = _build_sampler(search, len(study.trials))
        trial = study.ask()
        if "fit" not in trial.user_attrs:
            trial.set_user_attr("fit", trial.number + 1)
        settings = _suggest_settings(trial, search)
        control.log(f"trial {n_ended + 1} of {search.trials}: {json.dumps(settings)}")
        _run_trial(study, trial, search, settings, training_run)
        write_table(table, _build_rows(study, search, training_run))
        control.log(f"trial {n_ended + 1} of {search.trials}: {_read_state(study.trials[trial.number])}")


def _summarise(study: optuna.Study, search: SearchSpec, training_run: TrainingRun) -> tuple[SearchSummary, TrainSpec]:
    """Summarise the trials and return the spec with the best settings; RunError if no trial was finished."""
    rows = _build_rows(study, search, training_run)
    if not any(row["state"] == DONE for row in rows):
        raise RunError("No trial was finished: all diverged or cannot be built. Search within other bounds.")
    best = study.best_trial
    metric, direction = MONITORED_METRICS[search.base.monitor]
    summary: SearchSummary = {
        "kind": "search",
        "name": search.name,
        "judged_by": {"figure": metric, "direction": direction},
        "protocol": f"fold {search.base.fold} of {search.base.folds}, source cells that no trial was trained on; the best"
        f" of {search.trials} trials was chosen on them, so its metrics are too good",
        "note": format_selection_note(search.base),
        "leaky": training_run.leaky,
        "best": next(row for row in rows if row["trial"] == best.number + 1),
        "importance": _measure_importance(study),
        "trials": rows,
        "seconds": round(time.time() - training_run.started),
        "search": search.to_dict(),
    }
    return summary, replace(search.build_spec(_read_settings(best, search)), name=search.name)


class _GivenUpError(BloodcellError):
    """A trial that is worse than those before it at the same epoch."""


class _TrialControl(Control):
    """Report the monitored metric of each epoch to Optuna, and give the trial up if Optuna says so."""

    def __init__(
        self, control: Control, trial: optuna.Trial, search: SearchSpec, earlier: Iterable[HistoryRow]
    ) -> None:
        self.control, self.trial, self.search = control, trial, search
        for row in earlier:
            self._report(row.to_dict())

    def _report(self, row: dict[str, Any]) -> None:
        if self.search.base.monitor in row:
            self.trial.report(row[self.search.base.monitor], row["epoch"])

    def on_reading(self, source: str, done: int, total: int) -> None:
        self.control.on_reading(source, done, total)

    def on_batch(self, progress: Progress) -> None:
        self.control.on_batch(progress)

    def on_epoch(self, row: dict[str, Any]) -> None:
        self.control.on_epoch(row)
        self._report(row)
        if row["epoch"] < self.search.base.epochs and self.trial.should_prune():
            raise _GivenUpError(f"Given up after epoch {row['epoch']}.")

    def log(self, line: str) -> None:
        self.control.log(line)

    def should_stop(self) -> bool:
        return self.control.should_stop()


def _run_trial(
    study: optuna.Study, trial: optuna.Trial, search: SearchSpec, settings: dict[str, Any], training_run: TrainingRun
) -> None:
    """Run one trial and tell Optuna how it ended."""
    fit, context, base = trial.user_attrs["fit"], training_run.context, search.base
    checkpoints = context.checkpoints
    control = _TrialControl(context.control, trial, search, checkpoints.read_history(fit))
    trial_context = replace(context, control=control, fits=max(context.fits, fit))
    if checkpoints.is_given_up(fit):  # the process was killed before Optuna knew
        study.tell(trial, state=TrialState.PRUNED)
        return
    try:
        trial_run = replace(training_run, spec=search.build_spec(settings), context=trial_context)
        outputs, _ = predict_fold(trial_run, base.fold, fit)
    except _GivenUpError as error:
        context.control.log(str(error))
        checkpoints.give_up(fit, checkpoints.read_history(fit))
        study.tell(trial, state=TrialState.PRUNED)
        return
    except (SpecError, ModelError) as error:
        context.control.log(f"No such network can be built: {error}")
        trial.set_user_attr("state", IMPOSSIBLE)
        study.tell(trial, state=TrialState.FAIL)
        return
    metrics = compute_final_metrics(training_run.take_fold(base.fold), outputs)
    trial.set_user_attr("figures", metrics)
    value = metrics[MONITORED_METRICS[base.monitor][0]]
    if value is not None:
        study.tell(trial, value)
    else:
        trial.set_user_attr("state", DIVERGED)
        study.tell(trial, state=TrialState.FAIL)


@contextmanager
def _open_study(path: Path, search: SearchSpec) -> Iterator[optuna.Study]:
    """Open the study of a search, or create it; its number of trials may change between calls."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=search.name,
            direction=MONITORED_METRICS[search.base.monitor][1],
            pruner=optuna.pruners.MedianPruner(search.startup_trials, search.prune_after + 1),
            load_if_exists=True,
        )
        values = replace(search, trials=1).to_dict()
        # Read as a spec, because one of an older version lacks the settings that came later.
        stored = SearchSpec.from_dict(study.user_attrs.setdefault("search", values)).to_dict()
        if stored != values:
            changed = [name for name in values if stored.get(name) != values[name]]
            raise RunError(f"{path.parent} holds another search ({', '.join(changed)} differ); start anew.")
        study.set_user_attr("search", values)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _retry_broken_off(study: optuna.Study) -> None:
    """Mark trials that were running when the process ended as failed, and put their settings first in the queue."""
    waiting = {trial.user_attrs.get("fit") for trial in study.get_trials(states=(TrialState.WAITING,))}
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        fit = trial.user_attrs.get("fit")
        if fit is not None and fit not in waiting and trial.params:
            study.enqueue_trial(trial.params, user_attrs={"fit": fit})
        study.tell(trial.number, state=TrialState.FAIL)


def _build_sampler(search: SearchSpec, number: int) -> optuna.samplers.BaseSampler:
    """Build a sampler whose draws depend only on the trials so far, not on how often the search was stopped."""
    return optuna.samplers.TPESampler(seed=search.seed * 10_007 + number, n_startup_trials=search.startup_trials)


def _suggest_settings(trial: optuna.Trial, search: SearchSpec) -> dict[str, Any]:
    """Suggest the settings of a trial; Optuna stores choices as JSON."""
    for name, values in search.space:
        if isinstance(values, Range):
            trial.suggest_float(name, values.low, values.high, log=values.log)
        else:
            trial.suggest_categorical(name, [json.dumps(choice) for choice in values.choices])
    return _read_settings(trial, search)


def _read_settings(trial: optuna.Trial | optuna.trial.FrozenTrial, search: SearchSpec) -> dict[str, Any]:
    """Read a trial's settings as the spec takes them."""
    settings: dict[str, Any] = {}
    for name, values in search.space:
        if name in trial.params:
            value = trial.params[name]
            if isinstance(values, Range):
                settings[name] = float(f"{value:.6g}")
            else:
                settings[name] = {json.dumps(choice): choice for choice in values.choices}[value]
    return settings


def _read_state(trial: optuna.trial.FrozenTrial) -> str:
    if trial.state == TrialState.FAIL:
        return str(trial.user_attrs.get("state", BROKEN_OFF))
    states = {TrialState.COMPLETE: DONE, TrialState.PRUNED: GIVEN_UP}
    return states.get(trial.state, "waiting")


def _build_rows(study: optuna.Study, search: SearchSpec, training_run: TrainingRun) -> list[SearchRow]:
    """Build one row per trial that has ended: number, state, settings, metrics, epochs, seconds, fit."""
    epochs_of_fit: dict[int, list[HistoryRow]] = {}
    for row in training_run.context.checkpoints.read_history():
        epochs_of_fit.setdefault(row.fit, []).append(row)
    rows = []
    for trial in study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)):
        epochs = epochs_of_fit.get(trial.user_attrs.get("fit", 0), [])
        metrics = trial.user_attrs.get("figures", {})
        settings = _read_settings(trial, search)
        rows.append(
            {"trial": trial.number + 1, "state": _read_state(trial)}
            | {name: settings.get(name) for name, _ in search.space}
            | {name: metrics.get(name) for name, _ in MONITORED_METRICS.values()}
            | {
                "epochs": len(epochs),
                "seconds": epochs[-1].seconds if epochs else None,
                "fit": trial.user_attrs.get("fit"),
            }
        )
    return rows


def _measure_importance(study: optuna.Study) -> dict[str, float]:
    if len(study.get_trials(states=(TrialState.COMPLETE,))) < MIN_TRIALS_FOR_IMPORTANCE:
        return {}
    return {name: round(share, 4) for name, share in optuna.importance.get_param_importances(study).items()}
