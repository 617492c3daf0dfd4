"""Results that take seconds and are needed at every click: held in the process, the one unused longest going first.

`st.cache_resource` would do the same in fewer lines, but it forbids widgets in the work that it caches, and the Stop
button of `progress` is one.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import streamlit as st

MAX_ENTRIES = 24

T = TypeVar("T")
CacheKey = tuple[Hashable, ...]


class _Cache:
    def __init__(self) -> None:
        self.values: OrderedDict[CacheKey, Any] = OrderedDict()
        self.lock = threading.Lock()  # Streamlit runs each browser session in a thread of its own


@st.cache_resource(show_spinner=False)
def _get_shared_cache() -> _Cache:
    return _Cache()


def get_or_compute(key: CacheKey, compute: Callable[[], T]) -> T:
    """Return the cached result for a key, computing it first where there is none.

    Parameters
    ----------
    key : tuple
        Names, content hashes and settings that the result depends on; never arrays.
    compute : callable
        Called without arguments; may show progress. An error that it raises is passed on, and nothing is cached.

    Returns
    -------
    object
        What `compute` returned, now or earlier in any session. Shared: treat it as read-only.
    """
    cache = _get_shared_cache()
    with cache.lock:
        if key in cache.values:
            cache.values.move_to_end(key)
            return cast(T, cache.values[key])
    result = compute()
    with cache.lock:
        cache.values[key] = result
        while len(cache.values) > MAX_ENTRIES:
            cache.values.popitem(last=False)
    return result


def get_cached(key: CacheKey) -> Any | None:
    """Return the cached result for a key, None where there is none."""
    cache = _get_shared_cache()
    with cache.lock:
        return cache.values.get(key)
