"""Datasets: register a folder or zip of labelled images, look into it, find copies, and split it honestly."""

import streamlit as st

from bloodcell.ui import (
    dataset_copies,
    dataset_levels,
    dataset_overview,
    dataset_segments,
    dataset_shelf,
    dataset_splits,
    layout,
)
from bloodcell.ui.errors import show_errors
from bloodcell.ui.progress import say_stopped

VIEWS = {
    "Overview": dataset_overview.show,
    "Pictures": dataset_overview.show_pictures,
    "Gray levels": dataset_levels.show,
    "Segmentation": dataset_segments.show,
    "Copies": dataset_copies.show,
    "Splits": dataset_splits.show,
    "Problems": dataset_overview.show_problems,
}

layout.through_app()
st.header("Datasets", anchor=False)
with show_errors(stop=True):
    dataset = dataset_shelf.choose()
    dataset_shelf.add(is_first=dataset is None)
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
body = dataset_shelf.cleared_for(dataset, view)
with head, show_errors(stop=True):
    dataset_shelf.header(dataset)
with body, show_errors():
    say_stopped()
    VIEWS[view](dataset)
