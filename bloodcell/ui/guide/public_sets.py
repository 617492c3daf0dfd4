"""The public image sets: sources, licences, and fetching one into the workspace."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.public.download import fetch
from bloodcell.datasets.public.public_sets import PUBLIC_SETS, PublicSet
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.text import plain


def table_of_sets() -> None:
    """Show every public set with its licence and its source."""
    folder = load_settings().datasets_dir
    lines = ["| Name | Content | Licence | Size | Source |", "|---|---|---|---|---|"]
    for one in PUBLIC_SETS:
        here = " ✓" if (folder / one.name).is_dir() else ""
        name = f"**{plain(one.name)}**{here}"
        lines.append(f"| {name} | {plain(one.what)} | {plain(one.licence)} | {one.size_mb} MB | <{one.source}> |")
    st.markdown("\n".join(lines))
    st.caption("✓: already in your workspace.")


def fetch_a_set() -> None:
    """Ask for a set and download it into the workspace, with progress."""
    can_fetch = [one for one in PUBLIC_SETS if one.url]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            "Download a set into the workspace", can_fetch, format_func=lambda one: one.name, key="guide-set", width=280
        )
        wanted = st.button("Download", icon=":material/download:", key="guide-download")
    by_hand = [one.name for one in PUBLIC_SETS if not one.url]
    if by_hand:
        st.caption(
            f"{', '.join(by_hand)}: its source asks for an account, so download it there by hand. This is the "
            "only place where Bloodcell uses the internet, and only when you press the button."
        )
    if wanted and chosen is not None:
        with show_errors():
            _fetch(chosen)


def _fetch(chosen: PublicSet) -> None:
    bar = st.progress(0.0, f"Downloading {chosen.name} …")

    def on_progress(done: int, total: int) -> None:
        total = total or chosen.size_mb * 1_000_000
        bar.progress(
            min(1.0, done / max(total, 1)),
            f"Downloading {chosen.name}: {done / 1e6:.0f} of about {total / 1e6:.0f} MB",
        )

    try:
        folder = fetch(chosen.name, load_settings(), on_progress)
    finally:
        bar.empty()
    st.success(f"{chosen.name} is in {plain(str(folder))}", icon=":material/check:")
