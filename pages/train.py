"""Train: a dataset and a model in, one click, live curves, and a model on the shelf out."""

import streamlit as st

from bloodcell.ui.shared import layout
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.train import adapt_form, job_list, job_request, masks_form, train_form
from bloodcell.ui.train.job_request import ADAPT_WAY, HOW, MASKS_WAY

WAYS = {
    "New model": train_form.ask_here,
    ADAPT_WAY: adapt_form.ask,
    MASKS_WAY: masks_form.ask,
    "From a file": train_form.ask_file,
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
        job = None if asked is None else job_request.begin(asked)
    if job is not None:
        job_list.open_job(job.id)
        st.rerun()


layout.through_app()
st.header("Train a model", anchor=False)
job_id = job_list.opened_id()
with show_errors():
    if job_id is None:
        start()
    elif st.button("New training", icon=":material/add:", key="train-new"):
        job_list.open_job(None)
        st.rerun()
with show_errors():
    job_list.follow(job_id)
