"""The public image sets: sources, licences, and fetching one into the workspace."""

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
        here = " ✓" if (folder / public_set.name).is_dir() else ""
        name = f"**{escape_md(public_set.name)}**{here}"
        lines.append(
            f"| {name} | {escape_md(public_set.what)} | {escape_md(public_set.licence)} | {public_set.size_mb} MB | <{public_set.source}> |"
        )
    st.markdown("\n".join(lines))
    st.caption("✓: already in your workspace.")


def ask_download() -> None:
    """Ask for a set and download it into the workspace, with progress."""
    can_fetch = [public_set for public_set in PUBLIC_SETS if public_set.url]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            "Download a set into the workspace",
            can_fetch,
            format_func=lambda public_set: public_set.name,
            key="guide-set",
            width=280,
        )
        wanted = st.button("Download", icon=":material/download:", key="guide-download")
    by_hand = [public_set.name for public_set in PUBLIC_SETS if not public_set.url]
    if by_hand:
        st.caption(
            f"{', '.join(by_hand)}: its source asks for an account, so download it there by hand. This is the "
            "only place where Bloodcell uses the internet, and only when you press the button."
        )
    if wanted and chosen is not None:
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
    st.success(f"{chosen.name} is in {escape_md(str(folder))}", icon=":material/check:")
