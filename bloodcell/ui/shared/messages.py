"""Sentences on a page: text from outside made safe for Markdown, local times, and the errors raised on purpose."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import streamlit as st

from bloodcell.core.errors import BloodcellError

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!<>|~$:&])")


def escape_md(text: str) -> str:
    r"""Escape what Streamlit would read as Markdown, so that a name shows as it is written.

    Parameters
    ----------
    text : str
        Text from outside, such as the name of a file, or one that quotes it.

    Returns
    -------
    str
        One line: line breaks become spaces.

    Examples
    --------
    >>> print(escape_md("slide_1.jpg"))
    slide\_1\.jpg
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def format_local_time(utc: str) -> str:
    """Return a time in UTC as local date and time.

    Parameters
    ----------
    utc : str
        ISO time, such as ``2026-01-31T10:00:00Z``, or "".

    Returns
    -------
    str
        Such as ``2026-01-31 11:00``; "" for "".

    Examples
    --------
    >>> format_local_time("")
    ''
    """
    if not utc:
        return ""
    return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")


@contextmanager
def show_errors(*, stop: bool = False) -> Iterator[None]:
    """Show a BloodcellError raised inside as one sentence on the page.

    Parameters
    ----------
    stop : bool, default False
        End the page there; otherwise it goes on after the ``with`` block.
    """
    try:
        yield
    except BloodcellError as error:
        st.error(escape_md(str(error)), icon=":material/error:")
        if stop:
            st.stop()
