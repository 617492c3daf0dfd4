"""The training jobs of the workspace: their list, the open one, and the fragment that refreshes both."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import streamlit as st

from bloodcell.core.errors import JobError
from bloodcell.core.settings import load_settings
from bloodcell.jobs import store
from bloodcell.jobs.files import read_history
from bloodcell.jobs.kinds.table import KINDS
from bloodcell.jobs.store import Job
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.train import job_view
from bloodcell.ui.train.results.adapt import is_refused

JOB_PARAM = "job"
N_SHOWN = 8
_SHOW_ALL_KEY = "train-all-jobs"


class StatusStyle(NamedTuple):
    """Word, icon and colour of a job's status."""

    word: str
    icon: str
    colour: Literal["gray", "blue", "green", "red", "orange", "violet"]


STATUS_STYLES = {
    store.QUEUED: StatusStyle("Waiting", ":material/hourglass_empty:", "gray"),
    store.RUNNING: StatusStyle("Running", ":material/play_arrow:", "blue"),
    store.DONE: StatusStyle("Done", ":material/check:", "green"),
    store.FAILED: StatusStyle("Failed", ":material/error:", "red"),
    store.CANCELLED: StatusStyle("Cancelled", ":material/stop:", "orange"),
    store.INTERRUPTED: StatusStyle("Interrupted", ":material/bolt:", "violet"),
}
_REFUSED_STYLE = StatusStyle("Not better", ":material/balance:", "orange")


def get_open_job_id() -> int | None:
    """Return the number of the job in the address; None where there is none."""
    value = st.query_params.get(JOB_PARAM, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def open_job(job_id: int | None) -> None:
    """Open a job, or none; the address follows."""
    if job_id is None:
        st.query_params.pop(JOB_PARAM, None)
    else:
        st.query_params[JOB_PARAM] = str(job_id)


def show_jobs(job_id: int | None) -> None:
    """Show the open job and the list of all; refreshed every second while any of them waits or runs."""
    is_busy = any(not job.is_over for job in _list_training_jobs())
    st.fragment(_refresh_jobs, run_every=1 if is_busy else None)(job_id, is_busy)


def _refresh_jobs(job_id: int | None, was_busy: bool) -> None:
    jobs = _list_training_jobs()
    if any(not job.is_over for job in jobs) != was_busy:
        st.rerun()  # the whole page, which then refreshes or rests
    if job_id is not None:
        with show_errors():
            _show_job(job_id, jobs)
    if jobs:
        _show_list(jobs, job_id)


def _list_training_jobs() -> list[Job]:
    queue = resources.get_job_queue()
    queue.dispatch()
    training_kinds = {kind.name for kind in KINDS if kind.is_training}
    return [job for job in store.list_jobs(queue.db) if job.kind in training_kinds]


def _show_job(job_id: int, jobs: Sequence[Job]) -> None:
    job = next((candidate for candidate in jobs if candidate.id == job_id), None)
    if job is None:
        raise JobError(f"There is no job {job_id}. It may have been deleted.")
    with st.container(border=True, key="train-opened"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"#### {escape_md(job.title)}")
            _show_badge(job)
        st.caption(
            f"Job {job.id} · {job_view.describe_result(job)} {escape_md(job.result or job.name)} · {escape_md(job.who)} · "
            f"created {_format_time(job.created_at)}{_format_duration(job)}"
        )
        history = read_history(load_settings(), job.id)
        job_view.show_state(job, len(history))
        if job_view.ask_action(job, len(history)):
            open_job(None)
            st.rerun()
        new_job = job_view.show_details(job, history)
        if new_job is not None:
            open_job(new_job.id)
            st.rerun()


def _show_list(jobs: Sequence[Job], job_id: int | None) -> None:
    st.subheader("Training jobs", anchor=False)
    shown = jobs if st.session_state.get(_SHOW_ALL_KEY) else jobs[:N_SHOWN]
    for job in shown:
        with st.container(key=f"train-row-{job.id}"):
            title, status, time_column, who, action = st.columns([5, 2, 3, 2, 1.2], vertical_alignment="center")
            title.markdown(f"**{escape_md(job.title)}**  \n:small[{escape_md(job_view.summarise_job(job))}]")
            with status:
                _show_badge(job)
            time_column.caption(f"{_format_time(job.created_at)}{_format_duration(job)}")
            who.caption(escape_md(job.who))
            if job.id == job_id:
                action.caption("open")
            elif action.button("Open", key=f"train-open-{job.id}", width="stretch"):
                open_job(job.id)
                st.rerun()
    if len(jobs) > N_SHOWN:
        st.toggle(f"Show all {len(jobs)}", key=_SHOW_ALL_KEY)


def _show_badge(job: Job) -> None:
    style = _REFUSED_STYLE if is_refused(job) else STATUS_STYLES[job.status]
    word = "Stopping" if job.status == store.RUNNING and job.cancel_asked else style.word
    st.badge(word, icon=style.icon, color=style.colour)


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _format_duration(job: Job) -> str:
    """Duration of the last attempt, so far or in all."""
    if job.started_at is None or job.status == store.QUEUED:
        return ""
    return f" · {job_view.format_duration((job.ended_at or time.time()) - job.started_at)}"
