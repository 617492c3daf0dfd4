"""What takes seconds to compute and is asked for at every click: kept in the process, the least used going first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

MAX_ENTRIES = 24

T = TypeVar("T")


class _Cache:
    def __init__(self) -> None:
        self.values: OrderedDict[tuple, Any] = OrderedDict()
        self.lock = threading.Lock()  # Streamlit runs each browser session in a thread of its own


@st.cache_resource(show_spinner=False)
def _get_shared_cache() -> _Cache:
    return _Cache()


def get_or_compute(key: tuple, make: Callable[[], T]) -> T:
    """Return what `make` made for `key` before, else make it now.

    Parameters
    ----------
    key : fingerprints and settings that the result depends on, never arrays
    make : called without arguments; may show progress. What it raises is raised, and nothing is kept.
    """
    shared = _get_shared_cache()
    with shared.lock:
        if key in shared.values:
            shared.values.move_to_end(key)
            return shared.values[key]
    result = make()
    with shared.lock:
        shared.values[key] = result
        while len(shared.values) > MAX_ENTRIES:
            shared.values.popitem(last=False)
    return result


def get_cached(key: tuple) -> Any | None:
    """Return what is kept for `key`, None if nothing is."""
    shared = _get_shared_cache()
    with shared.lock:
        return shared.values.get(key)
