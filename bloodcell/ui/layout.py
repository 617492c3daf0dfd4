"""What every page shares: tighter margins, and the person's initials in the sidebar."""

import streamlit as st

from bloodcell.ui import state

_CSS = """
<style>
[data-testid="stMainBlockContainer"] { padding: 2.6rem 2rem 3rem; }
[data-testid="stMetricValue"] { font-size: 1.5rem; }
[data-testid="stImageCaption"] { font-size: 0.78rem; }
</style>
"""


def frame() -> None:
    """Draw what stands around every page."""
    st.html(_CSS)
    with st.sidebar:
        st.text_input(
            "Your initials",
            key=state.WHO_KEY,
            placeholder=state.system_user(),
            max_chars=40,
            bind="query-params",
            help="Kept with each decision that you take.",
        )
        st.caption("For research and teaching, no medical device.")
