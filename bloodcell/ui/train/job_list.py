"""The jobs of the workspace: a list of them, one opened by the address, and one fragment that follows both."""

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
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.text import plain
from bloodcell.ui.train import job_view
from bloodcell.ui.train.results.adapt import is_refused

JOB_PARAM = "job"
SHOWN = 8
_ALL = "train-all-jobs"


class Look(NamedTuple):
    """How the status of a job is shown."""

    word: str
    icon: str
    colour: Literal["gray", "blue", "green", "red", "orange", "violet"]


LOOKS = {
    store.QUEUED: Look("Waiting", ":material/hourglass_empty:", "gray"),
    store.RUNNING: Look("Running", ":material/play_arrow:", "blue"),
    store.DONE: Look("Done", ":material/check:", "green"),
    store.FAILED: Look("Failed", ":material/error:", "red"),
    store.CANCELLED: Look("Cancelled", ":material/stop:", "orange"),
    store.INTERRUPTED: Look("Interrupted", ":material/bolt:", "violet"),
}


_REFUSED = Look("Not better", ":material/balance:", "orange")


def opened_id() -> int | None:
    """Number of the job in the address; None where there is none."""
    given = st.query_params.get(JOB_PARAM, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None


def open_job(job_id: int | None) -> None:
    """Open a job, or none; the address follows."""
    if job_id is None:
        st.query_params.pop(JOB_PARAM, None)
    else:
        st.query_params[JOB_PARAM] = str(job_id)


def follow(job_id: int | None) -> None:
    """Show the opened job and the list of all, once a second anew while any of them waits or runs."""
    is_busy = any(not job.is_over for job in _tended())
    st.fragment(_follow, run_every=1 if is_busy else None)(job_id, is_busy)


def _follow(job_id: int | None, was_busy: bool) -> None:
    jobs = _tended()
    if any(not job.is_over for job in jobs) != was_busy:
        st.rerun()  # the whole page, which then follows or rests
    if job_id is not None:
        with show_errors():
            _show_opened(job_id, jobs)
    if jobs:
        _list(jobs, job_id)


def _tended() -> list[Job]:
    queue = resources.jobs()
    queue.tend()
    trainings = {kind.name for kind in KINDS if kind.is_training}
    return [job for job in store.list_jobs(queue.db) if job.kind in trainings]


def _show_opened(job_id: int, jobs: Sequence[Job]) -> None:
    job = next((one for one in jobs if one.id == job_id), None)
    if job is None:
        raise JobError(f"There is no job {job_id}. It may have been deleted.")
    with st.container(border=True, key="train-opened"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"#### {plain(job.title)}")
            _badge(job)
        st.caption(
            f"Number {job.id} · {job_view.result_words(job)} {plain(job.result or job.name)} · {plain(job.who)} · "
            f"asked for {_moment(job.created_at)}{_duration(job)}"
        )
        history = read_history(load_settings(), job.id)
        job_view.show_state(job, len(history))
        if job_view.ask_action(job, len(history)):
            open_job(None)
            st.rerun()
        begun = job_view.show_course(job, history)
        if begun is not None:
            open_job(begun.id)
            st.rerun()


def _list(jobs: Sequence[Job], job_id: int | None) -> None:
    st.subheader("Trainings", anchor=False)
    shown = jobs if st.session_state.get(_ALL) else jobs[:SHOWN]
    for job in shown:
        with st.container(key=f"train-row-{job.id}"):
            what, state, when, who, go = st.columns([5, 2, 3, 2, 1.2], vertical_alignment="center")
            what.markdown(f"**{plain(job.title)}**  \n:small[{plain(job_view.one_line(job))}]")
            with state:
                _badge(job)
            when.caption(f"{_moment(job.created_at)}{_duration(job)}")
            who.caption(plain(job.who))
            if job.id == job_id:
                go.caption("opened")
            elif go.button("Open", key=f"train-open-{job.id}", width="stretch"):
                open_job(job.id)
                st.rerun()
    if len(jobs) > SHOWN:
        st.toggle(f"All {len(jobs)}", key=_ALL)


def _badge(job: Job) -> None:
    look = _REFUSED if is_refused(job) else LOOKS[job.status]
    word = "Stopping" if job.status == store.RUNNING and job.cancel_asked else look.word
    st.badge(word, icon=look.icon, color=look.colour)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _duration(job: Job) -> str:
    """How long the last attempt took or has taken."""
    if job.started_at is None or job.status == store.QUEUED:
        return ""
    return f" · {job_view.in_words((job.ended_at or time.time()) - job.started_at)}"
