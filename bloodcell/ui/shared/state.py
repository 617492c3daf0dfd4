"""The session state of the pages; what must outlive a refresh is in the database or the address."""

import getpass
import secrets
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, cast

import pandas as pd
import streamlit as st

from bloodcell.imaging.threshold import OTSU, PRESETS

INITIALS_KEY = "app-who"
BATCH_PARAM = "batch"
CELL_PARAM = "cell"
_THROUGH_APP = "app-started"
_BENCH = "classify-bench"
_FIELD_BENCH = "classify-field-bench"
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
    """The open batch as this browser session sees it.

    Attributes
    ----------
    batch_id : int
    table : DataFrame
        The cells, indexed by cell_id; a copy of the database's, patched after each review.
    order : tuple of int
        Cell ids as they are shown. Stays until the sorting or a filter is changed, so that a reviewed cell does not
        move away under the reader.
    order_key : tuple or None
        Sorting and filters that `order` was made for.
    chosen : int or None
        Id of the open cell, None where `order` is empty.
    page_size : int, default 48
        Cells per page of the gallery.
    session : str
        Random name of this bench; events that a browser sends for another bench are ignored.
    client : str
        The gallery that sent the last events.
    acknowledged : int
        Number of the last event of `client` that was applied.
    problem : str
        What went wrong with the last event, "" where nothing did.
    """

    batch_id: int
    table: pd.DataFrame
    order: tuple[int, ...] = ()
    order_key: tuple[Hashable, ...] | None = None
    chosen: int | None = None
    page_size: int = 48
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    client: str = ""
    acknowledged: int = 0
    problem: str = ""


@dataclass
class FieldBench:
    """The fields of the open batch as this browser session sees them.

    Attributes
    ----------
    batch_id : int
    image_id : int or None
        The field that is open.
    session, client, acknowledged
        As in `ui.shared.events.Inbox`.
    problem : str
        What went wrong with the last event, "" where nothing did.
    picked : int or None
        The field that was clicked last in the list; it stays marked there while another one is open.
    """

    batch_id: int
    image_id: int | None = None
    picked: int | None = None
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    client: str = ""
    acknowledged: int = 0
    problem: str = ""


def get_field_bench(batch_id: int) -> FieldBench:
    """Return the fields of a batch as this session sees them; new ones where it has not looked at them yet."""
    bench: FieldBench | None = st.session_state.get(_FIELD_BENCH)
    if bench is None or bench.batch_id != batch_id:
        bench = st.session_state[_FIELD_BENCH] = FieldBench(batch_id)
    return bench


def mark_run_by_app() -> None:
    """Note that app.py draws the pages of this session."""
    st.session_state[_THROUGH_APP] = True


def is_run_by_app() -> bool:
    """Tell whether app.py draws the pages of this session."""
    return _THROUGH_APP in st.session_state


def get_initials() -> str:
    """Return the initials of the person, or the system user where none were entered."""
    return str(st.session_state.get(INITIALS_KEY) or "").strip() or get_system_user()


def get_system_user() -> str:
    """Return the name of the system user, "unknown" on a system that has none."""
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
    """Open a batch, or close it (None); the address follows."""
    st.session_state[_OPEN_BATCH] = batch_id
    if batch_id is None:
        st.query_params.pop(BATCH_PARAM, None)
        st.query_params.pop(CELL_PARAM, None)
    elif st.query_params.get(BATCH_PARAM) != str(batch_id):
        st.query_params.pop(CELL_PARAM, None)
        st.query_params[BATCH_PARAM] = str(batch_id)


def get_cell_in_url() -> int | None:
    """Return the id of the cell in the address, None where there is none."""
    value = st.query_params.get(CELL_PARAM, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def set_cell_in_url(cell_id: int | None) -> None:
    """Put the id of the open cell into the address."""
    if cell_id is not None and st.query_params.get(CELL_PARAM) != str(cell_id):
        st.query_params[CELL_PARAM] = str(cell_id)


def get_bench(batch_id: int) -> Bench | None:
    """Return the bench of a batch, None where this session has not opened it yet."""
    bench: Bench | None = st.session_state.get(_BENCH)
    return bench if bench is not None and bench.batch_id == batch_id else None


def store_bench(bench: Bench) -> None:
    """Store the bench of the open batch in place of any other."""
    st.session_state[_BENCH] = bench


def read_events(component_key: str) -> list[Any]:
    """Return the events that a gallery has sent, not checked; an empty list where it sent none."""
    return (st.session_state.get(component_key) or {}).get("events") or []


def get_uploader_number() -> int:
    """Return the number in the keys of the uploaders; a new number empties them."""
    return cast(int, st.session_state.setdefault(_UPLOADER, 0))


def empty_uploaders() -> None:
    """Empty the uploaders in the next run, which frees their bytes."""
    st.session_state[_UPLOADER] = get_uploader_number() + 1


def store_speed(batch_id: int, n_images: int, seconds: float) -> None:
    """Store how fast the last images of a batch were analysed."""
    st.session_state[_SPEED] = (batch_id, n_images, seconds)


def get_speed(batch_id: int) -> tuple[int, float] | None:
    """Return (images, seconds) of the last analysis of this batch in this session, None where there was none."""
    stored: tuple[int, int, float] | None = st.session_state.get(_SPEED)
    return stored[1:] if stored is not None and stored[0] == batch_id else None


def store_deleted(batch_id: int, name: str) -> None:
    """Store id and name of the batch that was just deleted, for undoing it."""
    st.session_state[_DELETED] = (batch_id, name)


def get_deleted() -> tuple[int, str] | None:
    """Return (id, name) of the batch that was just deleted, None where none was."""
    return st.session_state.get(_DELETED)


def forget_deleted() -> None:
    """Withdraw the offer to undo the deletion."""
    st.session_state.pop(_DELETED, None)


def store_notice(text: str) -> None:
    """Store a sentence for the next run to show."""
    st.session_state[_NOTICE] = text


def pop_notice() -> str:
    """Return the sentence that the previous run stored, "" where there is none, and remove it."""
    return str(st.session_state.pop(_NOTICE, ""))


def prepare_threshold(cell_id: int, otsu: int) -> tuple[str, str, int]:
    """Prepare the widgets of the gray-level threshold.

    The slider is a new one for each cell and preset, so that its value is never set from here while somebody types:
    a run that is cut short would leave the browser with the old value, which would then look like a move by hand.

    Parameters
    ----------
    cell_id : int
        The open cell.
    otsu : int
        Its threshold by Otsu's method.

    Returns
    -------
    (str, str, int)
        Key of the presets, key of the slider, initial value of the slider.
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
    """Store the threshold that the slider was moved to, and clear the preset.

    Streamlit also calls this for a slider that is gone from the page but still known to the browser; such a call is
    ignored.

    Parameters
    ----------
    slider_key : str
        As `prepare_threshold` returned it.
    """
    moved_to = st.session_state.get(slider_key)
    shown_key, begin = st.session_state.get(_SLIDER, ("", None))
    if slider_key == shown_key and moved_to not in (None, begin):
        st.session_state[_OWN_THRESHOLD] = moved_to
        st.session_state[_PRESET] = None
