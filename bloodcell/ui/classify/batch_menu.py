"""Choosing, naming, renaming, deleting and reopening batches."""

from datetime import datetime
from functools import partial

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.model_store.library import ModelInfo, find_io_spec
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
from bloodcell.ui.classify import cell_set_form
from bloodcell.ui.classify.upload_form import ask_files, show_limits
from bloodcell.ui.shared import resources, state
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors

SHOWN_AT_FIRST = 8
_WIDTHS = [5, 3, 2, 2, 2, 2]


def make_default_name() -> str:
    """Return the name that a batch gets where the person gives none: date and time."""
    return datetime.now().strftime("%Y-%m-%d %H:%M")


def start_batch(name: str, model: ModelInfo) -> int:
    """Make a batch and open it."""
    db = resources.get_database()
    batch_id = create_batch(
        db, name.strip() or make_default_name(), model.name, model.sha256, model.class_names, state.get_initials()
    )
    state.set_open_batch(batch_id)
    return batch_id


def find_open_batch() -> Batch | None:
    """Return the batch in the address, None where there is none; one that does not exist is said to miss."""
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
    """Offer to bring back the batch that was just deleted."""
    deleted = state.get_deleted()
    if deleted is None:
        return
    batch_id, name = deleted
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="classify-undo-box"):
        st.markdown(f"The batch **{escape_md(name)}** is deleted.", width="stretch")
        if st.button("Undo", key="classify-undo-delete", icon=":material/undo:"):
            with show_errors(stop=True):
                restore_batch(resources.get_database(), batch_id, state.get_initials())
            state.forget_deleted()
            state.set_open_batch(batch_id)
            st.rerun()


def choose_batch(summaries: list[BatchSummary]) -> None:
    """List the batches, newest first, each with a button that opens it."""
    if not summaries:
        return
    st.subheader("Your batches", anchor=False)
    show_all = len(summaries) > SHOWN_AT_FIRST and st.toggle(f"Show all {len(summaries):,}", key="classify-all-batches")
    head = st.columns(_WIDTHS, vertical_alignment="center")
    for column, word in zip(head, ("Name", "Begun", "Images", "White cells", "Decided", "Model"), strict=True):
        column.caption(word)
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
    """Show the batch's name with its actions: downloads, adding, renaming, deleting, and leaving it.

    Returns
    -------
    list of (name, bytes)
        Images that the person adds.
    """
    db = resources.get_database()
    files: list[tuple[str, bytes]] = []
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="classify-header"):
        st.subheader(escape_md(batch.name), width="stretch", anchor=False)
        if n_images:
            _offer_downloads(batch)
            cell_set_form.offer(batch)
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
        f"begun {format_local_time(batch.created_at)}",
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
    for name, ending, write, content in (
        ("plain", "", export_per_image, "Two columns, file name and class, one row an image."),
        (
            "full",
            "_full",
            export_per_cell,
            "One row a cell: box, probabilities, status, decision, who and when, model.",
        ),
    ):
        st.download_button(
            f"{name.capitalize()} CSV",
            data=partial(write, db, batch.id, person),
            file_name=f"{stem}{ending}.csv",
            mime="text/csv",
            key=f"classify-{name}-csv",
            icon=":material/download:",
            help=content,
            on_click="ignore",
        )


def read_all_batches() -> list[BatchSummary]:
    """Return the batches of this workspace, newest first."""
    return list_batches(resources.get_database())
