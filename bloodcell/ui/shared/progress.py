"""Long work in a page: a bar, a button that stops it, and a notice once it was stopped."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.ui.shared.cache import CacheKey, get_or_compute
from bloodcell.ui.shared.messages import escape_md

REPAINT_S = 0.2
_STOPPED_KEY = "app-stopped"
_PAUSED_KEY = "app-held"

T = TypeVar("T")
Work = Callable[[OnProgress, ShouldStop], T]


def run_with_bar(title: str, work: Work[T]) -> T:
    """Run work that a click has asked for, with a bar and a Stop button that disappear at its end.

    Streamlit ends a run at any click, by an exception out of the next call that draws something; so the bar is drawn
    again whenever the work asks whether it should stop. `show_stop_notice` tells in the next run what was stopped.

    Parameters
    ----------
    title : str
        What is done, such as ``Comparing images``; unique within a run of the page.
    work : callable
        Called as ``work(on_progress, should_stop)``; leaves nothing half done when an exception leaves either of them.

    Returns
    -------
    object
        What `work` returns.
    """
    try:
        return _run_work(title, work, _note_stopped, title)
    except BaseException as end:
        if not isinstance(end, Exception):
            _note_stopped(title)
        raise


def get_or_run_with_bar(key: CacheKey, title: str, work: Work[T]) -> T:
    """Return the cached result for a key, else run the work as `run_with_bar` does.

    For work that a view starts without being asked. Once its Stop button was pressed, the view ends here with an offer
    to start again; any other click only postpones the work until the view is next shown.

    Parameters
    ----------
    key : tuple
        As in `cache.get_or_compute`.
    title, work
        As in `run_with_bar`.

    Returns
    -------
    object
        What `work` returns, now or earlier.
    """
    if st.session_state.get(_PAUSED_KEY) == key:
        _show_stopped(title)
        if not st.button("Start again", icon=":material/play_arrow:", key="app-start-again"):
            st.stop()
        del st.session_state[_PAUSED_KEY]
    return get_or_compute(key, lambda: _run_work(title, work, _note_paused, key))


def show_stop_notice() -> None:
    """Say once what the last click has stopped."""
    title = st.session_state.pop(_STOPPED_KEY, "")
    if title:
        _show_stopped(title)


def _show_stopped(title: str) -> None:
    st.info(f"Stopped: {escape_md(title.lower())}. Nothing was saved.", icon=":material/stop_circle:")


def _run_work(title: str, work: Work[T], on_stop: Callable[[Any], None], argument: Any) -> T:
    place = st.empty()
    with place.container(horizontal=True, vertical_alignment="center", gap="small"):
        bar = st.progress(0.0, f"{title} …", width="stretch")
        st.button("Stop", icon=":material/stop:", key=f"app-stop-{title}", on_click=on_stop, args=(argument,))
    share, drawn_at = 0.0, time.monotonic()

    def draw() -> None:
        nonlocal drawn_at
        drawn_at = time.monotonic()
        bar.progress(share, f"{title} … {share:.0%}")

    def on_progress(done: int, total: int) -> None:
        nonlocal share
        share = min(1.0, done / max(total, 1))
        if done >= total or time.monotonic() - drawn_at > REPAINT_S:
            draw()

    def should_stop() -> bool:
        if time.monotonic() - drawn_at > REPAINT_S:
            draw()
        return False

    try:
        result = work(on_progress, should_stop)
    except Exception:
        place.empty()
        raise
    place.empty()
    return result


def _note_stopped(title: str) -> None:
    st.session_state[_STOPPED_KEY] = title


def _note_paused(key: CacheKey) -> None:
    st.session_state[_PAUSED_KEY] = key
