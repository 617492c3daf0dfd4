"""What every page shares: the menu, tighter margins, and the person's initials in the sidebar."""

import functools
import gc
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit.navigation.page import Page

from bloodcell.ui.shared import state

_CSS = """
<style>
[data-testid="stMainBlockContainer"] { padding: 2.6rem 2rem 3rem; }
[data-testid="stSidebar"][data-collapsed="false"] { width: 232px !important; min-width: 232px !important; }
[data-testid="stMetricValue"] { font-size: 1.5rem; }
[data-testid="stImageCaption"] { font-size: 0.78rem; }
</style>
"""


def build_navigation() -> Page:
    """Set up the browser's tab, draw the menu, and return the page that the address asks for.

    The tab's icon must be set before the menu is drawn: without one, Streamlit takes the icon of the page, and
    the browser fetches that from an outside host.
    """
    st.set_page_config(page_title="Bloodcell", page_icon="🩸", layout="wide", initial_sidebar_state=232)
    return st.navigation(
        [
            st.Page("pages/classify.py", title="Classify", icon=":material/biotech:", default=True),
            st.Page("pages/datasets.py", title="Datasets", icon=":material/dataset:"),
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/evaluate.py", title="Evaluate", icon=":material/query_stats:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
            st.Page("pages/models.py", title="Models", icon=":material/inventory_2:"),
            st.Page("pages/guide.py", title="Guide", icon=":material/menu_book:"),
        ]
    )


def ensure_run_by_app() -> None:
    """Send a page that Streamlit runs by itself through app.py; every page begins with this call.

    Until app.py has run once, a fresh server serves the folder pages/ itself: a browser that is still on /models
    when the server restarts would get that page without menu and styles.
    """
    has_page_path = urlsplit(st.context.url or "").path.strip("/")
    if has_page_path and not state.is_run_by_app():
        build_navigation()  # from now on Streamlit leaves the folder alone
        st.rerun()


def draw_frame() -> None:
    """Draw what surrounds every page: styles, initials and the intended use."""
    state.mark_run_by_app()
    st.html(_CSS)
    with st.sidebar:
        st.text_input(
            "Your initials",
            key=state.INITIALS_KEY,
            placeholder=state.get_system_user(),
            max_chars=40,
            bind="query-params",
            help="Saved with every cell that you review.",
        )
        st.caption("For research and teaching. Not a medical device.")


def translate_old_link(key: str, renamed: Mapping[str, str]) -> None:
    """Let a link of an older version open the view that it means; call this before the view's widget.

    Parameters
    ----------
    key : str
        Key of the widget, which is bound to the address.
    renamed : dict of str to str
        Old name of a view -> its name today.
    """
    old_name = st.query_params.get(key, "")
    if old_name in renamed:
        del st.query_params[key]
        st.session_state[key] = renamed[old_name]


@functools.cache
def freeze_loaded_objects() -> None:
    """Exclude what the first page loaded from the garbage collection that Streamlit does after each run.

    Going through the objects of every module takes 0.1 s, in which no other click is answered.
    """
    gc.collect()
    gc.freeze()


def read_assets(folder: Path, *names: str) -> str:
    """Read the HTML, CSS or JavaScript of a component, several files one behind the other."""
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)
