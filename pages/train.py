"""Train: a dataset and a model in, one click, live curves, and a model on the shelf out."""

import streamlit as st

from bloodcell.ui import layout, training_adapt, training_asked, training_jobs, training_masks, training_spec
from bloodcell.ui.errors import show_errors
from bloodcell.ui.training_asked import ADAPT_WAY, HOW, MASKS_WAY

WAYS = {
    "New model": training_spec.ask_here,
    ADAPT_WAY: training_adapt.ask,
    MASKS_WAY: training_masks.ask,
    "From a file": training_spec.ask_file,
}


def start() -> None:
    """No training is open: ask for one, and begin it."""
    with st.container(border=True):
        how = st.segmented_control(
            "What to do",
            list(WAYS),
            default="New model",
            required=True,
            key=HOW,
            label_visibility="collapsed",
            bind="query-params",
        )
        asked = WAYS[how]()
        job = None if asked is None else training_asked.begin(asked)
    if job is not None:
        training_jobs.open_job(job.id)
        st.rerun()


layout.through_app()
st.header("Train a model", anchor=False)
job_id = training_jobs.opened_id()
with show_errors():
    if job_id is None:
        start()
    elif st.button("New training", icon=":material/add:", key="train-new"):
        training_jobs.open_job(None)
        st.rerun()
with show_errors():
    training_jobs.follow(job_id)
