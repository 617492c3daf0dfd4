"""Creating a dataset from the reviewed cells of a batch."""

import pandas as pd
import streamlit as st

from bloodcell.core.labels import EXTRA_DECISIONS
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.library import MAX_NAME_CHARS
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.review.batches import Batch
from bloodcell.review.cell_sets import create_cell_set, read_reviewed_cells
from bloodcell.ui.datasets.dataset_library import CHOICE_KEY
from bloodcell.ui.shared import resources
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.progress import run_with_bar
from bloodcell.ui.train import adapt_form

PROGRESS_LABEL = "Cutting out the cells"


def offer_cell_set(batch: Batch) -> None:
    """Offer to create a dataset; what it would hold is looked up when the offer is opened."""
    with st.popover("Create dataset", icon=":material/dataset:", key="classify-cell-set", on_change="rerun") as popover:
        if popover.open:
            with show_errors():
                _ask(batch)


def _ask(batch: Batch) -> None:
    db = resources.get_database()
    cells = read_reviewed_cells(db, batch.id, with_extra=True)
    if cells.empty:
        st.info(
            "No cell of this batch is reviewed yet. A dataset is created from the cells that a person has confirmed or "
            "corrected.",
            icon=":material/info:",
        )
        return
    is_extra = cells["correction"].isin(EXTRA_DECISIONS)
    with_extra = is_extra.any() and st.toggle(
        f"Include: {', '.join(format_label(name) for name in cells.loc[is_extra, 'correction'].unique())}",
        key=f"classify-cell-set-extra-{batch.id}",
    )
    chosen_cells = cells if with_extra else cells[~is_extra]
    counts = chosen_cells["correction"].value_counts()
    st.markdown(
        f"**{format_count(len(chosen_cells), 'reviewed cell')}** in {format_count(len(counts), 'class', 'classes')}. "
        "Cells that are not reviewed are left out."
    )
    if chosen_cells.empty:
        return
    st.dataframe(
        pd.DataFrame({"Class": counts.index.map(format_label), "Cells": counts.to_numpy()}),
        hide_index=True,
        key=f"classify-cell-set-classes-{batch.id}",
    )
    name = st.text_input(
        "Name of the dataset", batch.name, max_chars=MAX_NAME_CHARS, key=f"classify-cell-set-name-{batch.id}"
    )
    if not st.button("Create", type="primary", icon=":material/add:", key="classify-make-cell-set"):
        return
    settings = load_settings()
    dataset = run_with_bar(
        PROGRESS_LABEL,
        lambda on_progress, stop: create_cell_set(db, batch.id, name, settings, bool(with_extra), on_progress, stop),
    )
    st.success(
        f"{escape_md(dataset.name)} was created with {format_count(dataset.n_images, 'cell')}.", icon=":material/check:"
    )
    st.page_link(
        "pages/datasets.py",
        label="Open it on the Datasets page",
        icon=":material/dataset:",
        query_params={CHOICE_KEY: dataset.name},
    )
    adapt_form.show_link(dataset, batch.model_name)
