"""One job: where it stands, its curves and log, and what can be done with it."""

import json
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.read import read_trials_so_far
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.kinds.table import find_kind
from bloodcell.jobs.store import Job
from bloodcell.jobs.task import LEARNING, LOADING, READING
from bloodcell.plots.training import plot_accuracy_curves, plot_dice_curves, plot_loss_curves
from bloodcell.reports.numbers import format_count
from bloodcell.ui.classify.upload_form import show_model_link
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.train.results.adapt import is_refused
from bloodcell.ui.train.results.by_kind import RESULT_VIEWS, has_result
from bloodcell.ui.train.results.fits import describe_run, summarise_runs

LOG_LINES = 14
MAX_RUNS = 8  # in one chart
_NOT_YET = "-"


def show_state(job: Job, n_epochs: int) -> None:
    """Show where a job stands, or how it ended, with so many finished epochs."""
    if job.status == store.RUNNING:
        _show_running(job)
    else:
        _show_ended(job, n_epochs)
    if job.status != store.DONE:
        words = summarise_runs(read_trials_so_far(job_dir(load_settings(), job.id)), job)
        if words:
            st.caption(escape_md(words))


def show_details(job: Job, history: Sequence[dict[str, float]]) -> Job | None:
    """Show a job's result, its curves, the end of its log, and its settings; the job begun from the result, if any.

    Parameters
    ----------
    history : the finished epochs, as `jobs.files.read_history` gives them
    """
    new_job = None
    if has_result(job):
        with show_errors():
            new_job = RESULT_VIEWS[job.kind](job)
    _show_curves(job, pd.DataFrame(history))
    left, right = st.columns(2, gap="medium")
    with left.expander("Log", expanded=job.status == store.FAILED and not is_refused(job), icon=":material/article:"):
        lines = resources.get_job_queue().runner.read_log(job)[0].splitlines()
        st.code("\n".join(lines[-LOG_LINES:]) or "Nothing is written yet.", language=None, wrap_lines=True)
    with right.expander("Settings", icon=":material/data_object:"):
        st.code(json.dumps(job.spec, indent=2), language="json", height=320)
    return new_job


def ask_action(job: Job, n_epochs: int) -> bool:
    """Offer what can be done with a job of so many finished epochs, and do it; True once it was deleted."""
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
            pass  # the same settings would come to the same
        elif job.status in store.UNFINISHED:
            if n_epochs and st.button("Resume", type="primary", icon=":material/play_arrow:", key="train-resume"):
                queue.resume(job.id)
                st.rerun()
            if _ask_confirmed(
                "Start anew", ":material/replay:", "train-retry", _RESTART_WARNING.format(n_epochs) if n_epochs else ""
            ):
                queue.retry(job.id)
                st.rerun()
        elif find_kind(job.kind).gives == "model":
            show_model_link(job.result)
            st.page_link(
                "pages/models.py",
                label="Its figures",
                icon=":material/inventory_2:",
                query_params={"models-choice": job.result},
            )
        if _ask_confirmed("Delete", ":material/delete:", "train-delete", _DELETE_WARNING):
            queue.delete(job.id)
            return True
    return False


_REFUSED_TEXT = (
    "The adapted model is not better than {0} on the cells held back, so it was not kept; {0} stays as it was. "
    "More decided cells, above all of the classes that are named wrongly, may help; so may other settings."
)
_CANCEL_HELP = "It stops at the next batch. The finished epochs are kept, and it can be resumed."
_RESTART_WARNING = "The {} finished epochs and their curves are thrown away, and the training begins from nothing."
_DELETE_WARNING = "Its log, its curves and what it could be resumed from are deleted. A model that came of it stays."


def summarise_job(job: Job) -> str:
    """Where a job stands, in a few words."""
    if job.status == store.RUNNING:
        return _describe_phase(job)[0]
    if is_refused(job):
        return "not better on the cells held back, so it was not kept"
    if job.status == store.FAILED:
        return job.error
    if job.status == store.QUEUED:
        return "begins when the one before it has ended"
    if job.status == store.DONE:
        return f"{describe_result(job)} {job.result}"
    progress = job.progress
    if "last_epoch" not in progress or "epochs" not in progress:
        return ""
    run = f" of {describe_run(job, progress['fit'])} of {progress['fits']}" if progress["fits"] > 1 else ""
    return f"stopped after epoch {progress['last_epoch']['epoch']} of {progress['epochs']}{run}"


def describe_result(job: Job) -> str:
    """What comes of a job, in a word."""
    return find_kind(job.kind).gives


def format_duration(seconds: float) -> str:
    """A length of time: ``40 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _describe_phase(job: Job) -> tuple[str, float]:
    """What is done now, and the share of the whole that is done."""
    progress = job.progress
    if progress.get("phase") == READING:
        return f"Reading pictures, {progress['source']}: {progress['done']:,} of {progress['total']:,}", 0.0
    if progress.get("phase") == LOADING:
        return progress["step"], 0.0
    if progress.get("phase") != LEARNING:
        return "Loading the training library", 0.0
    before = (progress["fit"] - 1) * progress["epochs"] + progress["epoch"] - 1
    share = (before + progress["batch"] / progress["batches"]) / (progress["fits"] * progress["epochs"])
    if share >= 1:
        return find_kind(job.kind).last_step, 1.0
    fit = f"{describe_run(job, progress['fit'])} of {progress['fits']}, " if progress["fits"] > 1 else ""
    return (
        f"Learning: {fit}epoch {progress['epoch']} of {progress['epochs']}, batch {progress['batch']} of {progress['batches']}",
        share,
    )


_TIME_HELP = "Of all runs, at the present rate. Less if a run stops early or is given up."


def _format_metric(value: float | None, form: str) -> str:
    """A figure that is not there yet, or that has run off to infinity and was stored as nothing."""
    return _NOT_YET if value is None else format(value, form)


def _format_scores(kind: str, accuracy: float | None, last: dict) -> dict[str, str]:
    """How good it is so far: on what it learns from, and on what is held back."""
    if kind == MASKS.name:
        return {
            "Right pixels": _format_metric(accuracy, ".1%"),
            "Dice, held back": _format_metric(last.get("val_dice"), ".3f"),
        }
    return {
        "Right, learning": _format_metric(accuracy, ".1%"),
        "Right, validation": _format_metric(last.get("val_accuracy"), ".1%"),
    }


def _show_running(job: Job) -> None:
    words, share = _describe_phase(job)
    st.progress(min(1.0, share), f"{escape_md(words)} …")
    if job.kind == LOAD.name:
        return
    progress = job.progress
    is_training = progress.get("phase") == LEARNING
    last = progress.get("last_epoch", {})
    if last.get("fit", 1) != progress.get("fit", 1):
        last = {}  # of the run before
    metrics = {
        "Loss": _format_metric(progress.get("loss"), ".3f"),
        **_format_scores(job.kind, progress.get("accuracy"), last),
        "Time left": format_duration(progress["seconds_left"]) if is_training else _NOT_YET,
        "Pictures a second": f"{progress['images_per_s']:,.0f}" if is_training else _NOT_YET,
        "Memory": f"{progress['memory_mb']:,} MB" if "memory_mb" in progress else _NOT_YET,
    }
    for column, (name, value) in zip(st.columns(len(metrics)), metrics.items(), strict=True):
        column.metric(name, value, help=_TIME_HELP if name == "Time left" else None)


def _show_ended(job: Job, epochs: int) -> None:
    kept_text = (
        f" {format_count(epochs, 'finished epoch')} of it {'is' if epochs == 1 else 'are'} kept." if epochs else ""
    )
    if is_refused(job):
        st.warning(_REFUSED_TEXT.format(escape_md(job.spec["model"])), icon=":material/balance:")
    elif job.status == store.FAILED:
        st.error(escape_md(job.error + kept_text), icon=":material/error:")
    elif job.status == store.CANCELLED:
        st.info(f"It was cancelled.{kept_text}", icon=":material/stop:")
    elif job.status == store.INTERRUPTED:
        st.warning(
            f"Its process ended without a word: it was killed, or the computer was switched off.{kept_text}",
            icon=":material/bolt:",
        )
    elif job.status == store.QUEUED:
        st.info("It waits for the trainings before it.", icon=":material/hourglass_empty:")
    elif job.kind == MASKS.name:
        st.success(
            f"The U-Net {escape_md(job.result)} is taught. A new model can hide the background with it: What the model sees, "
            "Background.",
            icon=":material/check:",
        )
    elif find_kind(job.kind).gives == "model":
        st.success(f"The model {escape_md(job.result)} is on the shelf.", icon=":material/check:")
    else:
        folder = load_settings().runs_dir / job.result
        st.success(f"The figures are in the folder {escape_md(str(folder))}", icon=":material/check:")


def _show_curves(job: Job, history: pd.DataFrame) -> None:
    if history.empty:
        if job.status == store.RUNNING and job.kind != LOAD.name:
            st.caption("The curves begin with the first finished epoch.")
        return
    fits = sorted(int(fit) for fit in history["fit"].unique())
    runs = {describe_run(job, fit): history[history["fit"] == fit] for fit in fits[-MAX_RUNS:]}
    if len(fits) > MAX_RUNS:
        st.caption(f"Curves of the last {MAX_RUNS} of {len(fits)} runs.")
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(plot_loss_curves(runs), config=NO_MODEBAR, key=f"train-loss-{job.id}", alt="Loss of every epoch")
    if job.kind == MASKS.name:
        right.plotly_chart(
            plot_dice_curves(runs), config=NO_MODEBAR, key=f"train-dice-{job.id}", alt="Dice of every epoch"
        )
        return
    right.plotly_chart(
        plot_accuracy_curves(runs),
        config=NO_MODEBAR,
        key=f"train-accuracy-{job.id}",
        alt="Right answers of every epoch",
    )


def _ask_confirmed(label: str, icon: str, key: str, warning: str) -> bool:
    """A button that asks again where there is something to lose."""
    if not warning:
        return st.button(label, icon=icon, key=key)
    with st.popover(label, icon=icon, key=f"{key}-ask"):
        st.write(warning)
        return st.button(f"{label}, really", icon=icon, key=key, type="primary")
