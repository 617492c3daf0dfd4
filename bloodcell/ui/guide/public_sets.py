"""The public image sets: sources, licences, and downloading one into the workspace."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.public.download import download_public_set
from bloodcell.datasets.public.public_sets import PUBLIC_SETS, PublicSet
from bloodcell.ui.shared.messages import escape_md, show_errors


def show_sets() -> None:
    """Show every public set with its licence and its source."""
    folder = load_settings().datasets_dir
    lines = ["| Name | Content | Licence | Size | Source |", "|---|---|---|---|---|"]
    for public_set in PUBLIC_SETS:
        mark = " ✓" if (folder / public_set.name).is_dir() else ""
        name, content, licence = map(escape_md, (public_set.name, public_set.what, public_set.licence))
        lines.append(f"| **{name}**{mark} | {content} | {licence} | {public_set.size_mb} MB | <{public_set.source}> |")
    st.markdown("\n".join(lines))
    st.caption("✓: already in your workspace.")


def ask_download() -> None:
    """Ask for a set and download it into the workspace, with a progress bar."""
    downloadable = [public_set for public_set in PUBLIC_SETS if public_set.url]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            "Download a set into the workspace",
            downloadable,
            format_func=lambda public_set: public_set.name,
            key="guide-set",
            width=280,
        )
        is_pressed = st.button("Download", icon=":material/download:", key="guide-download")
    by_hand = [public_set.name for public_set in PUBLIC_SETS if not public_set.url]
    if by_hand:
        st.caption(
            f"{', '.join(by_hand)}: the source asks for an account, so download it there by hand. This is the only place "
            "where Bloodcell uses the internet, and only when you press the button."
        )
    if is_pressed and chosen is not None:
        with show_errors():
            _download_set(chosen)


def _download_set(chosen: PublicSet) -> None:
    bar = st.progress(0.0, f"Downloading {chosen.name} …")

    def on_progress(done: int, total: int) -> None:
        total = total or chosen.size_mb * 1_000_000
        bar.progress(
            min(1.0, done / max(total, 1)),
            f"Downloading {chosen.name}: {done / 1e6:.0f} of about {total / 1e6:.0f} MB",
        )

    try:
        folder = download_public_set(chosen.name, load_settings(), on_progress)
    finally:
        bar.empty()
    st.success(f"{chosen.name} was downloaded to {escape_md(str(folder))}", icon=":material/check:")
