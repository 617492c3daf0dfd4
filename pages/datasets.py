"""Datasets: register a folder or zip of labelled images, explore it, find duplicates, and split it without leaks."""

import streamlit as st

from bloodcell.ui.datasets import (
    dataset_library,
    duplicates_tab,
    gray_levels_tab,
    overview_tab,
    segmentation_tab,
    splits_tab,
)
from bloodcell.ui.shared import layout
from bloodcell.ui.shared.messages import show_errors
from bloodcell.ui.shared.progress import show_stop_notice

VIEWS = {
    "Overview": overview_tab.show,
    "Images": overview_tab.show_images,
    "Gray levels": gray_levels_tab.show,
    "Segmentation": segmentation_tab.show,
    "Duplicates": duplicates_tab.show,
    "Splits": splits_tab.show,
    "Problems": overview_tab.show_problems,
}

RENAMED_VIEWS = {"Pictures": "Images", "Copies": "Duplicates"}  # since version 0.1

layout.ensure_run_by_app()
st.header("Datasets", anchor=False)
with show_errors(stop=True):
    dataset = dataset_library.choose_dataset()
    dataset_library.add_dataset(is_first=dataset is None)
if dataset is None:
    show_stop_notice()
    st.stop()
head = st.container()
layout.translate_old_link("datasets-view", RENAMED_VIEWS)
view = st.segmented_control(
    "Show",
    list(VIEWS),
    default="Overview",
    required=True,
    key="datasets-view",
    label_visibility="collapsed",
    bind="query-params",
)
body = dataset_library.clear_for_view(dataset, view)
with head, show_errors(stop=True):
    dataset_library.show_header(dataset)
with body, show_errors():
    show_stop_notice()
    VIEWS[view](dataset)
