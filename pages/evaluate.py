"""Evaluate: measure a model on labelled images, and look at its errors."""

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
from bloodcell.ui.shared.messages import show_errors

METRICS, CONFUSION, CALIBRATION, ATTENTION = "Metrics", "Confusion matrix", "Calibration", "Attention"
RENAMED_VIEWS = {  # since version 0.1
    "Figures": METRICS,
    "Matrix and pictures": CONFUSION,
    "How sure": CALIBRATION,
    "Where it looks": ATTENTION,
}

layout.ensure_run_by_app()
st.header("Evaluate", anchor=False)
evaluation_library.open_scheduled()
with show_errors(stop=True):
    info = evaluation_library.choose_evaluation()
    evaluation_form.ask_evaluation(is_first=info is None)
    evaluation_form.show_pending_jobs()
if info is None:
    st.stop()
dataset = evaluation_library.find_dataset(info)
with show_errors(stop=True):
    evaluation_library.show_header(info)
layout.translate_old_link("evaluation-view", RENAMED_VIEWS)
view = st.segmented_control(
    "Show",
    [CONFUSION, METRICS, CALIBRATION, ATTENTION],
    default=CONFUSION,
    required=True,
    key="evaluation-view",
    label_visibility="collapsed",
    bind="query-params",
)
with show_errors():
    if view == METRICS:
        metrics_tab.show(info)
    elif view == CALIBRATION:
        calibration_tab.show(info)
    elif view == ATTENTION:
        attention_tab.show(info, dataset)
    else:
        confusion_tab.show(info, dataset)
explanation_view.watch_jobs()
