"""What the pages keep in the session; what must outlive a refresh is in the database or the address."""

import getpass
import secrets
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from bloodcell.imaging.threshold import OTSU, PRESETS

INITIALS_KEY = "app-who"
BATCH_PARAM = "batch"
CELL_PARAM = "cell"
_THROUGH_APP = "app-started"
_BENCH = "classify-bench"
_OPEN_BATCH = "classify-open-batch"
_UPLOADER = "classify-uploader-number"
_SPEED = "classify-speed"
_DELETED = "classify-deleted"
_NOTICE = "classify-notice"
_PRESET = "classify-preset"
_THRESHOLD = "classify-threshold"
_SLIDER = "classify-slider-shown"
_OWN_THRESHOLD = "classify-own-threshold"
THRESHOLD_PRESETS = (*map(str, PRESETS.values()), OTSU)


@dataclass
class Bench:
    """The opened batch as this browser session sees it.

    table : the cells, indexed by cell_id; the database's copy, patched after each decision
    order : cell ids as they are shown; stays until the sorting or a filter is changed, so that a decided cell
        does not move away under the reader
    order_key : what `order` was made from
    chosen : the cell that is open, None where `order` is empty
    session : names this bench; decisions that a browser sends for another one are not taken
    client, acknowledged : the gallery that sent the last events, and the number of the last one dealt with
    problem : what went wrong with the last decision, "" where nothing did
    """

    batch_id: int
    table: pd.DataFrame
    order: tuple[int, ...] = ()
    order_key: tuple | None = None
    chosen: int | None = None
    page_size: int = 48
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    client: str = ""
    acknowledged: int = 0
    problem: str = ""


def mark_run_by_app() -> None:
    """Remember that this session's pages are drawn by app.py."""
    st.session_state[_THROUGH_APP] = True


def is_run_by_app() -> bool:
    """Tell whether this session's pages are drawn by app.py."""
    return _THROUGH_APP in st.session_state


def get_initials() -> str:
    """Return the person's initials, the system's user name where none were given."""
    return str(st.session_state.get(INITIALS_KEY) or "").strip() or get_system_user()


def get_system_user() -> str:
    """Return the name of the system's user, "unknown" on a system that has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def get_open_batch_id() -> int | None:
    """Return the batch in the address, else the one this session had open before it visited another page."""
    value = st.query_params.get(BATCH_PARAM)
    if value is None:
        return st.session_state.get(_OPEN_BATCH)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def set_open_batch(batch_id: int | None) -> None:
    """Open a batch, or none; the address follows."""
    st.session_state[_OPEN_BATCH] = batch_id
    if batch_id is None:
        st.query_params.pop(BATCH_PARAM, None)
        st.query_params.pop(CELL_PARAM, None)
    elif st.query_params.get(BATCH_PARAM) != str(batch_id):
        st.query_params.pop(CELL_PARAM, None)
        st.query_params[BATCH_PARAM] = str(batch_id)


def get_cell_in_url() -> int | None:
    """Return the cell in the address, None where there is none."""
    value = st.query_params.get(CELL_PARAM, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def set_cell_in_url(cell_id: int | None) -> None:
    """Put the opened cell into the address."""
    if cell_id is not None and st.query_params.get(CELL_PARAM) != str(cell_id):
        st.query_params[CELL_PARAM] = str(cell_id)


def get_bench(batch_id: int) -> Bench | None:
    """Return this session's bench for a batch, None where it has not been opened yet."""
    stored = st.session_state.get(_BENCH)
    return stored if stored is not None and stored.batch_id == batch_id else None


def store_bench(new: Bench) -> None:
    """Keep the bench of the opened batch; that of another one is forgotten."""
    st.session_state[_BENCH] = new


def read_events(component_key: str) -> list:
    """Return what a gallery has sent, an empty list where it sent nothing."""
    return (st.session_state.get(component_key) or {}).get("events") or []


def get_uploader_number() -> int:
    """Return the number in the uploaders' keys; a new number empties them."""
    return st.session_state.setdefault(_UPLOADER, 0)


def empty_uploaders() -> None:
    """Let the uploaders start empty in the next run; their bytes are freed."""
    st.session_state[_UPLOADER] = get_uploader_number() + 1


def store_speed(batch_id: int, n_images: int, seconds: float) -> None:
    """Remember how fast the last images of a batch were analysed."""
    st.session_state[_SPEED] = (batch_id, n_images, seconds)


def get_speed(batch_id: int) -> tuple[int, float] | None:
    """Return (images, seconds) of the last analysis of this batch in this session."""
    stored = st.session_state.get(_SPEED)
    return stored[1:] if stored is not None and stored[0] == batch_id else None


def store_deleted(batch_id: int, name: str) -> None:
    """Remember the batch that was just deleted, for undoing it."""
    st.session_state[_DELETED] = (batch_id, name)


def get_deleted() -> tuple[int, str] | None:
    """Return (id, name) of the batch that was just deleted."""
    return st.session_state.get(_DELETED)


def forget_deleted() -> None:
    """Take back the offer to undo."""
    st.session_state.pop(_DELETED, None)


def store_notice(text: str) -> None:
    """Leave a sentence for the next run to show."""
    st.session_state[_NOTICE] = text


def pop_notice() -> str:
    """Return the sentence left by the run before, once."""
    return st.session_state.pop(_NOTICE, "")


def prepare_threshold(cell_id: int, otsu: int) -> tuple[str, str, int]:
    """Prepare the threshold's widgets; return the preset's key, the slider's key and where the slider begins.

    The slider is a new one for each cell and preset, so that nothing has to be set from here while somebody types:
    a run that is cut short would leave the browser with the old value, which then looked like a move by hand.
    """
    chosen = st.session_state.setdefault(_PRESET, OTSU)
    if chosen is None:
        slider_key, begin = f"{_THRESHOLD}-own", st.session_state.get(_OWN_THRESHOLD, otsu)
    else:
        slider_key = f"{_THRESHOLD}-{cell_id}-{chosen}"
        begin = otsu if chosen == OTSU else int(chosen)
    st.session_state[_SLIDER] = (slider_key, begin)
    return _PRESET, slider_key, begin


def on_threshold_moved(slider_key: str) -> None:
    """Keep where the slider was moved to, and let go of the preset.

    Streamlit also calls this for a slider that is gone from the page but still known to the browser.
    """
    moved_to = st.session_state.get(slider_key)
    shown_key, begin = st.session_state.get(_SLIDER, ("", None))
    if slider_key == shown_key and moved_to not in (None, begin):
        st.session_state[_OWN_THRESHOLD] = moved_to
        st.session_state[_PRESET] = None
