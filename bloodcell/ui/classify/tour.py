"""The first-run tour on the empty Classify page."""

from pathlib import Path

import streamlit as st

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.plots import theme
from bloodcell.ui.shared.messages import escape_md


def show_tour(workspace: Path) -> None:
    """Say in short what to drop, what comes out, where it is kept, and what this is not."""
    st.markdown(
        "Bloodcell finds the white blood cells in your smear images, says what each one is and how far to "
        "trust that, and lets you correct it. For research and teaching; this is **no medical device**."
    )
    first, second, third = st.columns([3, 5, 4], border=True)
    first.markdown(
        "**1 · Drop images**\n\nStained smears as JPEG, PNG, BMP or TIFF: files, a folder or a zip. Whole "
        "fields and pictures of single cells both work."
    )
    lines = [
        f"**{theme.STATUS_STYLES[status].sign} {theme.STATUS_STYLES[status].word}**: {theme.STATUS_STYLES[status].short}"
        for status in CELL_STATUSES
    ]
    second.markdown("**2 · Look and correct**\n\nEach cell gets a class and a mark.  \n" + "  \n".join(lines))
    third.markdown(
        "**3 · Download the result**\n\nOne CSV for your records, one with every detail. Everything stays on "
        f"this computer, in **{escape_md(str(workspace))}**"
    )
