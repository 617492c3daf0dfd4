"""Train: choose a dataset and a network, train with one click, and follow the curves to a model in the library."""

import streamlit as st

from bloodcell.ui.shared import layout
from bloodcell.ui.shared.messages import show_errors
from bloodcell.ui.train import adapt_form, job_list, job_request, masks_form, train_form
from bloodcell.ui.train.job_request import ADAPT_WAY, MASKS_WAY, WAY_KEY

WAYS = {
    "New model": train_form.ask_training,
    ADAPT_WAY: adapt_form.ask_adaptation,
    MASKS_WAY: masks_form.ask_masks,
    "From a file": train_form.ask_spec_file,
}


def show_start() -> None:
    """Ask for a job where none is open, and submit it."""
    with st.container(border=True):
        way = st.segmented_control(
            "What to do",
            list(WAYS),
            default="New model",
            required=True,
            key=WAY_KEY,
            label_visibility="collapsed",
            bind="query-params",
        )
        request = WAYS[way]()
        job = None if request is None else job_request.offer_submit(request)
    if job is not None:
        job_list.open_job(job.id)
        st.rerun()


layout.ensure_run_by_app()
st.header("Train a model", anchor=False)
job_id = job_list.get_open_job_id()
with show_errors():
    if job_id is None:
        show_start()
    elif st.button("New training", icon=":material/add:", key="train-new"):
        job_list.open_job(None)
        st.rerun()
with show_errors():
    job_list.show_jobs(job_id)
