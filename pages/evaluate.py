"""Evaluate: judge a model on labelled pictures, and look at what it gets wrong."""

import streamlit as st

from bloodcell.ui import (
    evaluation_asked,
    evaluation_calibration,
    evaluation_figures,
    evaluation_looks,
    evaluation_pictures,
    evaluation_shelf,
    explanation,
    layout,
)
from bloodcell.ui.errors import show_errors

FIGURES, PICTURES, CALIBRATION, LOOKS = "Figures", "Matrix and pictures", "How sure", "Where it looks"

layout.through_app()
st.header("Evaluate", anchor=False)
evaluation_shelf.take_next()
with show_errors(stop=True):
    info = evaluation_shelf.choose()
    evaluation_asked.ask(is_first=info is None)
    evaluation_asked.follow()
if info is None:
    st.stop()
dataset = evaluation_shelf.dataset_of(info)
with show_errors(stop=True):
    evaluation_shelf.header(info)
view = st.segmented_control(
    "Show",
    [PICTURES, FIGURES, CALIBRATION, LOOKS],
    default=PICTURES,
    required=True,
    key="evaluation-view",
    label_visibility="collapsed",
    bind="query-params",
)
with show_errors():
    if view == FIGURES:
        evaluation_figures.show(info)
    elif view == CALIBRATION:
        evaluation_calibration.show(info)
    elif view == LOOKS:
        evaluation_looks.show(info, dataset)
    else:
        evaluation_pictures.show(info, dataset)
explanation.follow()
