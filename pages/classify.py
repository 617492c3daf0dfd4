"""The Classify page: classify the white cells of dropped images, review them, and download the results."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.review.batches import Batch
from bloodcell.review.tables import read_cells_table, read_images_table
from bloodcell.ui.classify import batch_menu, batch_summary, fields_part, upload_form, workbench
from bloodcell.ui.shared import explanation_view, layout, model_choice, resources, state
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.progress import show_stop_notice

CELLS, FIELDS = "White cells", "Fields"


def show_start() -> None:
    """Show what stands where no batch is open: create one, or open one."""
    st.header("Classify white blood cells", anchor=False)
    batch_menu.offer_undo()
    batches = batch_menu.read_all_batches()
    if not batches:
        batch_menu.show_tour(load_settings().home)
    with st.container(border=True):
        model = model_choice.ask_model()
        if model is not None:
            name, files = upload_form.ask_new_batch(batch_menu.make_default_name())
            if files:
                upload_form.store_files(batch_menu.start_batch(name, model), files)
                st.rerun()
    batch_menu.choose_batch(batches)
    if model is not None:
        resources.preload_engine(model)


def show_batch(batch: Batch) -> None:
    """Show an open batch: add images, see the results, correct, download."""
    db = resources.get_database()
    images = read_images_table(db, batch.id)
    files = batch_menu.show_batch_header(batch, len(images))
    if images.empty:
        files = upload_form.ask_files()
    if files:
        upload_form.store_files(batch.id, files)
        st.rerun()
    notice = state.pop_notice()
    if notice:
        st.toast(escape_md(notice), icon=":material/check:")
    show_stop_notice()
    upload_form.show_analysis(batch)
    if images.empty:
        return
    view = st.segmented_control(
        "View",
        (CELLS, FIELDS),
        default=CELLS,
        required=True,
        key="classify-view",
        bind="query-params",
        label_visibility="collapsed",
    )
    if view == FIELDS:
        fields_part.show_fields(batch)
    else:
        workbench.prepare_bench(batch.id, read_cells_table(db, batch.id))
        workbench.show_workbench(batch, len(images))
    batch_summary.show_images_without_cells(images)
    explanation_view.watch_jobs()


layout.ensure_run_by_app()
slot = st.empty()  # an open batch clears the start view at once, not only when its analysis is done
with show_errors(stop=True):
    batch = batch_menu.find_open_batch()
    if batch is None:
        with slot.container():
            show_start()
    else:
        show_batch(batch)
