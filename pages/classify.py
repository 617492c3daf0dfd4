"""Classify the white cells of dropped images, look at them, correct them, and download the result."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.review.batches import Batch
from bloodcell.review.tables import cells_table, images_table
from bloodcell.ui.classify import batch_menu, batch_summary, upload_form, workbench
from bloodcell.ui.classify.tour import tour
from bloodcell.ui.shared import explanation_view, layout, resources, state
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.progress import say_stopped
from bloodcell.ui.shared.text import plain


def start() -> None:
    """No batch is open: begin one, or choose one."""
    st.header("Classify white blood cells", anchor=False)
    batch_menu.offer_undo()
    known = batch_menu.all_batches()
    if not known:
        tour(load_settings().home)
    with st.container(border=True):
        model = upload_form.ask_model()
        if model is not None:
            name, files = upload_form.ask_new_batch(batch_menu.new_name())
            if files:
                upload_form.take_files(batch_menu.begin_batch(name, model), files)
                st.rerun()
    batch_menu.choose_batch(known)
    if model is not None:
        resources.load_ahead(model)


def opened(batch: Batch) -> None:
    """A batch is open: add images, see what they came to, correct, download."""
    db = resources.database()
    images = images_table(db, batch.id)
    files = batch_menu.batch_header(batch, len(images))
    if images.empty:
        files = upload_form.ask_files()
    if files:
        upload_form.take_files(batch.id, files)
        st.rerun()
    notice = state.take_notice()
    if notice:
        st.toast(plain(notice), icon=":material/check:")
    say_stopped()
    upload_form.show_waiting(batch)
    if images.empty:
        return
    workbench.prepare_bench(batch.id, cells_table(db, batch.id))
    workbench.workbench(batch, len(images))
    batch_summary.images_without_cells(images)
    explanation_view.follow()


layout.through_app()
slot = st.empty()  # an opened batch clears the start view at once, not only when its analysis is done
with show_errors(stop=True):
    batch = batch_menu.opened_batch()
    if batch is None:
        with slot.container():
            start()
    else:
        opened(batch)
