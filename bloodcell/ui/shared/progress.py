"""Long work in a page: a bar, a button that stops it, and a word once it was stopped."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.messages import escape_md

REPAINT_S = 0.2
_STOPPED_KEY = "app-stopped"
_PAUSED_KEY = "app-held"

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]
Work = Callable[[OnProgress, ShouldStop], T]


def run_with_bar(words: str, work: Work[T]) -> T:
    """Run `work(on_progress, should_stop)` that a click has asked for, with a bar and a Stop button that go away.

    Streamlit ends a run at any click, by an exception out of the next call that draws something; so the bar is drawn
    again whenever the work asks whether it should stop. What then was stopped is told by `show_stop_notice` in the next run.

    Parameters
    ----------
    words : what is done, such as ``Comparing pictures``; no two works of one run may have the same
    work : keeps nothing by half when an exception leaves `on_progress` or `should_stop`
    """
    try:
        return _run_work(words, work, _note_stopped, words)
    except BaseException as end:
        if not isinstance(end, Exception):
            _note_stopped(words)
        raise


def get_or_run_with_bar(key: tuple, words: str, work: Work[T]) -> T:
    """Return what is kept for `key`, else run `work` as `run_with_bar` does.

    This is for work that a view begins without being asked. Once its Stop button was pressed, the view ends here with
    an offer to go on; another click only moves the work to when the view is next shown.
    """
    if st.session_state.get(_PAUSED_KEY) == key:
        st.info(f"Stopped: {escape_md(words.lower())}. Nothing of it was kept.", icon=":material/stop_circle:")
        if not st.button("Start again", icon=":material/play_arrow:", key="app-start-again"):
            st.stop()
        del st.session_state[_PAUSED_KEY]
    return get_or_compute(key, lambda: _run_work(words, work, _note_paused, key))


def show_stop_notice() -> None:
    """Say once what the last click has stopped."""
    words = st.session_state.pop(_STOPPED_KEY, "")
    if words:
        st.info(f"Stopped: {escape_md(words.lower())}. Nothing of it was kept.", icon=":material/stop_circle:")


def _run_work(words: str, work: Work[T], on_stop: Callable[[Any], None], argument: Any) -> T:
    place = st.empty()
    with place.container(horizontal=True, vertical_alignment="center", gap="small"):
        bar = st.progress(0.0, f"{words} …", width="stretch")
        st.button("Stop", icon=":material/stop:", key=f"app-stop-{words}", on_click=on_stop, args=(argument,))
    share, drawn_at = 0.0, time.monotonic()

    def draw() -> None:
        nonlocal drawn_at
        drawn_at = time.monotonic()
        bar.progress(share, f"{words} … {share:.0%}")

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


def _note_stopped(words: str) -> None:
    st.session_state[_STOPPED_KEY] = words


def _note_paused(key: tuple) -> None:
    st.session_state[_PAUSED_KEY] = key
