"""Datasets: register a folder or zip of labelled images, look into it, find copies, and split it honestly."""

import streamlit as st

from bloodcell.ui.datasets import (
    copies_tab,
    dataset_library,
    gray_levels_tab,
    overview_tab,
    segmentation_tab,
    splits_tab,
)
from bloodcell.ui.shared import layout
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.progress import say_stopped

VIEWS = {
    "Overview": overview_tab.show,
    "Pictures": overview_tab.show_pictures,
    "Gray levels": gray_levels_tab.show,
    "Segmentation": segmentation_tab.show,
    "Copies": copies_tab.show,
    "Splits": splits_tab.show,
    "Problems": overview_tab.show_problems,
}

layout.through_app()
st.header("Datasets", anchor=False)
with show_errors(stop=True):
    dataset = dataset_library.choose()
    dataset_library.add(is_first=dataset is None)
if dataset is None:
    say_stopped()
    st.stop()
head = st.container()
view = st.segmented_control(
    "Show",
    list(VIEWS),
    default="Overview",
    required=True,
    key="datasets-view",
    label_visibility="collapsed",
    bind="query-params",
)
body = dataset_library.cleared_for(dataset, view)
with head, show_errors(stop=True):
    dataset_library.header(dataset)
with body, show_errors():
    say_stopped()
    VIEWS[view](dataset)
