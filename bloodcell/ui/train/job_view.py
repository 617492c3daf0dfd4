"""One job: its state, result, curves and log, and what can be done with it."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.trials import read_trials_so_far
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.table import find_kind
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import Job
from bloodcell.jobs.task import LOADING, READING, TRAINING
from bloodcell.plots.training import plot_accuracy_curves, plot_dice_curves, plot_loss_curves
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.model_choice import show_model_link
from bloodcell.ui.train.results import adapt, kfold, masks, search, trials
from bloodcell.ui.train.results.adapt import is_refused
from bloodcell.ui.train.results.runs import describe_run, summarise_runs

LOG_LINES = 14
MAX_RUNS = 8  # in one chart
_NOT_YET = "-"
# Kind of job -> shows its result and returns the job that was submitted from there, None where none was.
_RESULT_VIEWS: dict[str, Callable[[Job], Job | None]] = {
    TRIALS.name: trials.show,
    KFOLD.name: kfold.show,
    SEARCH.name: search.show,
    ADAPT.name: adapt.show,
    MASKS.name: masks.show,
}


def show_state(job: Job, n_epochs: int) -> None:
    """Show the progress of a job, or how it ended.

    Parameters
    ----------
    job : Job
    n_epochs : int
        Number of its finished epochs, of all its runs.
    """
    if job.status == store.RUNNING:
        _show_running(job)
    else:
        _show_ended(job, n_epochs)
    if job.status != store.DONE:
        summary = summarise_runs(read_trials_so_far(job_dir(load_settings(), job.id)), job)
        if summary:
            st.caption(escape_md(summary))


def show_details(job: Job, history: Sequence[dict[str, float]]) -> Job | None:
    """Show a job's result, its curves, the end of its log, and its settings.

    Parameters
    ----------
    job : Job
    history : sequence of dict
        The finished epochs, as `jobs.files.read_history` returns them.

    Returns
    -------
    Job or None
        The job that was submitted from the result, if any.
    """
    new_job = None
    if job.kind in _RESULT_VIEWS and (job.status == store.DONE or is_refused(job)):
        with show_errors():
            new_job = _RESULT_VIEWS[job.kind](job)
    _show_curves(job, pd.DataFrame(history))
    left, right = st.columns(2, gap="medium")
    with left.expander("Log", expanded=job.status == store.FAILED and not is_refused(job), icon=":material/article:"):
        lines = resources.get_job_queue().runner.read_log(job)[0].splitlines()
        st.code("\n".join(lines[-LOG_LINES:]) or "Nothing has been logged yet.", language=None, wrap_lines=True)
    with right.expander("Settings", icon=":material/data_object:"):
        st.code(json.dumps(job.spec, indent=2), language="json", height=320)
    return new_job


def ask_action(job: Job, n_epochs: int) -> bool:
    """Offer what can be done with a job, and do it.

    Parameters
    ----------
    job : Job
    n_epochs : int
        Number of its finished epochs; with none, there is nothing to resume.

    Returns
    -------
    bool
        True once the job was deleted.
    """
    queue = resources.get_job_queue()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"), show_errors():
        if job.status in (store.QUEUED, store.RUNNING):
            if st.button(
                "Cancel",
                icon=":material/stop:",
                key="train-cancel",
                disabled=bool(job.cancel_asked),
                help=None if job.kind == LOAD.name else _CANCEL_HELP,
            ):
                queue.cancel(job.id)
                st.rerun()
            return False
        if is_refused(job):
            pass  # the same settings would give the same result
        elif job.status in store.UNFINISHED:
            if n_epochs and st.button("Resume", type="primary", icon=":material/play_arrow:", key="train-resume"):
                queue.resume(job.id)
                st.rerun()
            if _ask_confirmed(
                "Restart",
                ":material/replay:",
                "train-retry",
                _RESTART_WARNING.format(format_count(n_epochs, "finished epoch")) if n_epochs else "",
            ):
                queue.retry(job.id)
                st.rerun()
        elif find_kind(job.kind).gives == "model":
            show_model_link(job.result)
            st.page_link(
                "pages/models.py",
                label="Model details",
                icon=":material/inventory_2:",
                query_params={"models-choice": job.result},
            )
        if _ask_confirmed("Delete", ":material/delete:", "train-delete", _DELETE_WARNING):
            queue.delete(job.id)
            return True
    return False


_REFUSED_TEXT = (
    "The adapted model is not better than {0} on the held-out cells, so it was not saved. {0} is unchanged. More reviewed "
    "cells may help, especially of the classes with errors; so may other settings."
)
_CANCEL_HELP = "Stops at the next batch. Finished epochs are saved, and the job can be resumed."
_RESTART_WARNING = "Deletes {} with the curves, and trains from the beginning."
_DELETE_WARNING = "Deletes the log, the curves and the saved epochs of this job. A model that it produced stays."


def summarise_job(job: Job) -> str:
    """Summarise the state of a job in a few words."""
    if job.status == store.RUNNING:
        return _describe_phase(job)[0]
    if is_refused(job):
        return "not better on the held-out cells, so it was not saved"
    if job.status == store.FAILED:
        return job.error
    if job.status == store.QUEUED:
        return "starts when the job before it has ended"
    if job.status == store.DONE:
        return f"{describe_result(job)} {job.result}"
    progress = job.progress
    if "last_epoch" not in progress or "epochs" not in progress:
        return ""
    run = f" of {describe_run(job, progress['fit'])} of {progress['fits']}" if progress["fits"] > 1 else ""
    return f"stopped after epoch {progress['last_epoch']['epoch']} of {progress['epochs']}{run}"


def describe_result(job: Job) -> str:
    """Return in a word what a job produces: a model, metrics, a U-Net."""
    return find_kind(job.kind).gives


def format_duration(seconds: float) -> str:
    """Format a length of time.

    Examples
    --------
    >>> format_duration(40), format_duration(185), format_duration(7800)
    ('40 s', '3 min 5 s', '2 h 10 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _describe_phase(job: Job) -> tuple[str, float]:
    """Return the current step in words, and the share of the whole that is done."""
    progress = job.progress
    if progress.get("phase") == READING:
        return f"Reading images, {progress['source']}: {progress['done']:,} of {progress['total']:,}", 0.0
    if progress.get("phase") == LOADING:
        return progress["step"], 0.0
    if progress.get("phase") != TRAINING:
        return "Loading the training library", 0.0
    before = (progress["fit"] - 1) * progress["epochs"] + progress["epoch"] - 1
    share = (before + progress["batch"] / progress["batches"]) / (progress["fits"] * progress["epochs"])
    if share >= 1:
        return find_kind(job.kind).last_step, 1.0
    fit = f"{describe_run(job, progress['fit'])} of {progress['fits']}, " if progress["fits"] > 1 else ""
    return (
        f"Training: {fit}epoch {progress['epoch']} of {progress['epochs']}, batch {progress['batch']} of {progress['batches']}",
        share,
    )


_TIME_HELP = "For all runs, at the present speed. Less if a run stops early or is pruned."


def _format_metric(value: float | None, form: str) -> str:
    """Format a metric; "-" where there is none yet, or where it ran off to infinity and was stored as null."""
    return _NOT_YET if value is None else format(value, form)


def _format_scores(kind: str, accuracy: float | None, last_epoch: dict[str, Any]) -> dict[str, str]:
    """Format the metrics so far: on the training images, and on the held-out ones."""
    if kind == MASKS.name:
        return {
            "Pixel accuracy": _format_metric(accuracy, ".1%"),
            "Validation Dice": _format_metric(last_epoch.get("val_dice"), ".3f"),
        }
    return {
        "Training accuracy": _format_metric(accuracy, ".1%"),
        "Validation accuracy": _format_metric(last_epoch.get("val_accuracy"), ".1%"),
    }


def _show_running(job: Job) -> None:
    step, share = _describe_phase(job)
    st.progress(min(1.0, share), f"{escape_md(step)} …")
    if job.kind == LOAD.name:
        return
    progress = job.progress
    is_training = progress.get("phase") == TRAINING
    last_epoch = progress.get("last_epoch", {})
    if last_epoch.get("fit", 1) != progress.get("fit", 1):
        last_epoch = {}  # it is of the run before
    metrics = {
        "Loss": _format_metric(progress.get("loss"), ".3f"),
        **_format_scores(job.kind, progress.get("accuracy"), last_epoch),
        "Time left": format_duration(progress["seconds_left"]) if is_training else _NOT_YET,
        "Images per second": f"{progress['images_per_s']:,.0f}" if is_training else _NOT_YET,
        "Memory": f"{progress['memory_mb']:,} MB" if "memory_mb" in progress else _NOT_YET,
    }
    for column, (name, value) in zip(st.columns(len(metrics)), metrics.items(), strict=True):
        column.metric(name, value, help=_TIME_HELP if name == "Time left" else None)


def _show_ended(job: Job, n_epochs: int) -> None:
    saved_text = f" {format_count(n_epochs, 'finished epoch is', 'finished epochs are')} saved." if n_epochs else ""
    if is_refused(job):
        st.warning(_REFUSED_TEXT.format(escape_md(job.spec["model"])), icon=":material/balance:")
    elif job.status == store.FAILED:
        st.error(escape_md(job.error + saved_text), icon=":material/error:")
    elif job.status == store.CANCELLED:
        st.info(f"The job was cancelled.{saved_text}", icon=":material/stop:")
    elif job.status == store.INTERRUPTED:
        st.warning(
            f"The process ended unexpectedly: it was killed, or the computer was switched off.{saved_text}",
            icon=":material/bolt:",
        )
    elif job.status == store.QUEUED:
        st.info("Waiting for the training jobs before it.", icon=":material/hourglass_empty:")
    elif job.kind == MASKS.name:
        st.success(
            f"The U-Net {escape_md(job.result)} is trained. New models can hide the background with it: choose it under "
            "Input, Background.",
            icon=":material/check:",
        )
    elif find_kind(job.kind).gives == "model":
        st.success(f"The model {escape_md(job.result)} is in the model library.", icon=":material/check:")
    else:
        folder = load_settings().runs_dir / job.result
        st.success(f"The metrics are in the folder {escape_md(str(folder))}", icon=":material/check:")


def _show_curves(job: Job, history: pd.DataFrame) -> None:
    if history.empty:
        if job.status == store.RUNNING and job.kind != LOAD.name:
            st.caption("The curves start with the first finished epoch.")
        return
    fits = sorted(int(fit) for fit in history["fit"].unique())
    runs = {describe_run(job, fit): history[history["fit"] == fit] for fit in fits[-MAX_RUNS:]}
    if len(fits) > MAX_RUNS:
        st.caption(f"Curves of the last {MAX_RUNS} of {len(fits)} runs.")
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(plot_loss_curves(runs), config=NO_MODEBAR, key=f"train-loss-{job.id}", alt="Loss per epoch")
    if job.kind == MASKS.name:
        right.plotly_chart(plot_dice_curves(runs), config=NO_MODEBAR, key=f"train-dice-{job.id}", alt="Dice per epoch")
        return
    right.plotly_chart(
        plot_accuracy_curves(runs),
        config=NO_MODEBAR,
        key=f"train-accuracy-{job.id}",
        alt="Accuracy per epoch",
    )


def _ask_confirmed(label: str, icon: str, key: str, warning: str) -> bool:
    """Show a button that asks for confirmation if there is a warning; return whether it was pressed."""
    if not warning:
        return st.button(label, icon=icon, key=key)
    with st.popover(label, icon=icon, key=f"{key}-ask"):
        st.write(warning)
        return st.button(f"Yes, {label.lower()}", icon=icon, key=key, type="primary")
