"""Classify the white cells of dropped images, look at them, correct them, and download the result."""

import streamlit as st

from bloodcell.review.batches import Batch
from bloodcell.review.tables import cells_table, images_table
from bloodcell.settings import load_settings
from bloodcell.ui import batches, explanation, intake, layout, resources, state, summary, workbench
from bloodcell.ui.errors import show_errors
from bloodcell.ui.progress import say_stopped
from bloodcell.ui.text import plain
from bloodcell.ui.tour import tour


def start() -> None:
    """No batch is open: begin one, or choose one."""
    st.header("Classify white blood cells", anchor=False)
    batches.offer_undo()
    known = batches.all_batches()
    if not known:
        tour(load_settings().home)
    with st.container(border=True):
        model = intake.ask_model()
        if model is not None:
            name, files = intake.ask_new_batch(batches.new_name())
            if files:
                intake.take_files(batches.begin_batch(name, model), files)
                st.rerun()
    batches.choose_batch(known)
    if model is not None:
        resources.load_ahead(model)


def opened(batch: Batch) -> None:
    """A batch is open: add images, see what they came to, correct, download."""
    db = resources.database()
    images = images_table(db, batch.id)
    files = batches.batch_header(batch, len(images))
    if images.empty:
        files = intake.ask_files()
    if files:
        intake.take_files(batch.id, files)
        st.rerun()
    notice = state.take_notice()
    if notice:
        st.toast(plain(notice), icon=":material/check:")
    say_stopped()
    intake.show_waiting(batch)
    if images.empty:
        return
    workbench.prepare_bench(batch.id, cells_table(db, batch.id))
    workbench.workbench(batch, len(images))
    summary.images_without_cells(images)
    explanation.follow()


layout.through_app()
slot = st.empty()  # an opened batch clears the start view at once, not only when its analysis is done
with show_errors(stop=True):
    batch = batches.opened_batch()
    if batch is None:
        with slot.container():
            start()
    else:
        opened(batch)
