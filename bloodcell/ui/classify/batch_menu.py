"""The start of the Classify page and the header of a batch: create, open, rename, download, delete, restore."""

from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.core.settings import load_settings
from bloodcell.model_store.library import ModelInfo, find_io_spec
from bloodcell.plots import theme
from bloodcell.reports.numbers import format_count
from bloodcell.review.batches import (
    MAX_NAME_CHARS,
    Batch,
    BatchSummary,
    create_batch,
    delete_batch,
    get_batch,
    list_batches,
    rename_batch,
    restore_batch,
)
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.ui.classify.cell_set_form import offer_cell_set
from bloodcell.ui.classify.upload_form import ask_files
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors
from bloodcell.ui.shared.model_choice import show_limits

SHOWN_AT_FIRST = 8
_WIDTHS = [5, 3, 2, 2, 2, 2]


def make_default_name() -> str:
    """Return the name of a batch that the person does not name: the date and time."""
    return datetime.now().strftime("%Y-%m-%d %H:%M")


def start_batch(name: str, model: ModelInfo) -> int:
    """Create a batch, open it and return its id; a blank name becomes the default one."""
    db = resources.get_database()
    batch_id = create_batch(
        db, name.strip() or make_default_name(), model.name, model.sha256, model.class_names, state.get_initials()
    )
    state.set_open_batch(batch_id)
    return batch_id


def find_open_batch() -> Batch | None:
    """Return the batch in the address, None where there is none; say so where it does not exist."""
    batch_id = state.get_open_batch_id()
    if batch_id is None:
        state.set_open_batch(None)
        return None
    with show_errors():
        batch = get_batch(resources.get_database(), batch_id)
        state.set_open_batch(batch_id)
        return batch
    state.set_open_batch(None)
    return None


def offer_undo() -> None:
    """Offer to restore the batch that was just deleted."""
    deleted = state.get_deleted()
    if deleted is None:
        return
    batch_id, name = deleted
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="classify-undo-box"):
        st.markdown(f"Batch **{escape_md(name)}** was deleted.", width="stretch")
        if st.button("Undo", key="classify-undo-delete", icon=":material/undo:"):
            with show_errors(stop=True):
                restore_batch(resources.get_database(), batch_id, state.get_initials())
            state.forget_deleted()
            state.set_open_batch(batch_id)
            st.rerun()


def choose_batch(summaries: list[BatchSummary]) -> None:
    """List batches, newest first, each with a button that opens it."""
    if not summaries:
        return
    st.subheader("Your batches", anchor=False)
    show_all = len(summaries) > SHOWN_AT_FIRST and st.toggle(
        f"Show all {len(summaries):,} batches", key="classify-all-batches"
    )
    head = st.columns(_WIDTHS, vertical_alignment="center")
    for column, title in zip(head, ("Name", "Created", "Images", "White cells", "Reviewed", "Model"), strict=True):
        column.caption(title)
    for summary in summaries if show_all else summaries[:SHOWN_AT_FIRST]:
        row = st.columns(_WIDTHS, vertical_alignment="center")
        if row[0].button(
            escape_md(summary.name), key=f"classify-open-{summary.id}", icon=":material/folder_open:", width="stretch"
        ):
            state.set_open_batch(summary.id)
            st.rerun()
        row[1].write(format_local_time(summary.created_at))
        waiting = f" ({summary.n_waiting:,} waiting)" if summary.n_waiting else ""
        row[2].write(f"{summary.n_images:,}{waiting}")
        row[3].write(f"{summary.n_cells:,}")
        row[4].write(f"{summary.n_corrected:,}")
        row[5].write(escape_md(summary.model_name))


def show_batch_header(batch: Batch, n_images: int) -> list[tuple[str, bytes]]:
    """Show the name of a batch with its actions: download, create a dataset, add images, rename, delete, leave.

    Parameters
    ----------
    batch : Batch
    n_images : int
        Images in it; an empty batch offers no downloads.

    Returns
    -------
    list of (str, bytes)
        Name and content of the files that the person adds.
    """
    db = resources.get_database()
    files: list[tuple[str, bytes]] = []
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="classify-header"):
        st.subheader(escape_md(batch.name), width="stretch", anchor=False)
        if n_images:
            _offer_downloads(batch)
            offer_cell_set(batch)
            with st.popover("Add images", icon=":material/add_photo_alternate:", key="classify-add"):
                files = ask_files()
        with st.popover("Rename", icon=":material/edit:", key="classify-rename"):
            name = st.text_input("Name", batch.name, max_chars=MAX_NAME_CHARS, key=f"classify-name-{batch.id}")
            if st.button("Save name", key="classify-save-name", type="primary"):
                with show_errors(stop=True):
                    rename_batch(db, batch.id, name, state.get_initials())
                st.rerun()
        if st.button("Delete", icon=":material/delete:", key="classify-delete"):
            with show_errors(stop=True):
                delete_batch(db, batch.id, state.get_initials())
            state.store_deleted(batch.id, batch.name)
            state.set_open_batch(None)
            st.rerun()
        if st.button("All batches", icon=":material/list:", key="classify-close"):
            state.forget_deleted()
            state.set_open_batch(None)
            st.rerun()
    parts = [
        f"Model {escape_md(batch.model_name)} ({batch.model_sha256[:8]})",
        f"created {format_local_time(batch.created_at)}",
    ]
    speed = state.get_speed(batch.id)
    if speed is not None:
        n_done, seconds = speed
        rate = n_done / max(seconds, 0.001)
        parts.append(f"{format_count(n_done, 'image')} analysed in {seconds:.1f} s ({rate:,.0f} images/s)")
    st.caption(" · ".join(parts))
    io_spec = find_io_spec(batch.model_name, load_settings())
    if io_spec is not None:
        show_limits(io_spec)
    return files


def _offer_downloads(batch: Batch) -> None:
    db, person = resources.get_database(), state.get_initials()
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in batch.name)[:60]
    for label, key, ending, export, content in (
        ("Image CSV", "plain", "", export_per_image, "One row per image: file name and class."),
        (
            "Cell CSV",
            "full",
            "_full",
            export_per_cell,
            "One row per cell: box, probabilities, status, correction, who made it and when, model.",
        ),
    ):
        st.download_button(
            label,
            data=partial(export, db, batch.id, person),
            file_name=f"{stem}{ending}.csv",
            mime="text/csv",
            key=f"classify-{key}-csv",
            icon=":material/download:",
            help=content,
            on_click="ignore",
        )


def read_all_batches() -> list[BatchSummary]:
    """Return all batches of the workspace, newest first."""
    return list_batches(resources.get_database())


def show_tour(workspace: Path) -> None:
    """Tell a newcomer what to drop, what comes out, where it is stored, and what Bloodcell is not for."""
    st.markdown(
        "Bloodcell finds the white blood cells in your smear images, classifies each one, says how far to trust the "
        "result, and lets you correct it. For research and teaching; **not a medical device**."
    )
    first, second, third = st.columns([3, 5, 4], border=True)
    first.markdown(
        "**1 · Drop images**\n\nStained smears as JPEG, PNG, BMP or TIFF: files, a folder or a zip. Whole fields and "
        "single-cell images both work."
    )
    styles = [theme.STATUS_STYLES[status] for status in CELL_STATUSES]
    second.markdown(
        "**2 · Review and correct**\n\nEach cell gets a class and a status.  \n"
        + "  \n".join(f"**{style.sign} {style.word}**: {style.short}" for style in styles)
    )
    third.markdown(
        "**3 · Download the results**\n\nOne CSV with a row per image, one with every detail of each cell. Everything "
        f"stays on this computer, in **{escape_md(str(workspace))}**"
    )
