"""Evaluate: judge a model on labelled pictures, and look at what it gets wrong."""

import streamlit as st

from bloodcell.ui.evaluate import (
    attention_tab,
    calibration_tab,
    confusion_tab,
    evaluation_form,
    evaluation_library,
    metrics_tab,
)
from bloodcell.ui.shared import explanation_view, layout
from bloodcell.ui.shared.errors import show_errors

FIGURES, PICTURES, CALIBRATION, LOOKS = "Figures", "Matrix and pictures", "How sure", "Where it looks"

layout.through_app()
st.header("Evaluate", anchor=False)
evaluation_library.take_next()
with show_errors(stop=True):
    info = evaluation_library.choose()
    evaluation_form.ask(is_first=info is None)
    evaluation_form.follow()
if info is None:
    st.stop()
dataset = evaluation_library.dataset_of(info)
with show_errors(stop=True):
    evaluation_library.header(info)
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
        metrics_tab.show(info)
    elif view == CALIBRATION:
        calibration_tab.show(info)
    elif view == LOOKS:
        attention_tab.show(info, dataset)
    else:
        confusion_tab.show(info, dataset)
explanation_view.follow()
