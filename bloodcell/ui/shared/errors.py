"""Showing the errors that Bloodcell raises on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.ui.shared.text import escape_md


@contextmanager
def show_errors(*, stop: bool = False) -> Iterator[None]:
    """Show a BloodcellError as one sentence; the rest of the page goes on, or ends where `stop` is True."""
    try:
        yield
    except BloodcellError as error:
        st.error(escape_md(str(error)), icon=":material/error:")
        if stop:
            st.stop()
