"""Train: a dataset and a model in, one click, live curves, and a model on the shelf out."""

import streamlit as st

from bloodcell.errors import BloodcellError
from bloodcell.ui import layout, training_jobs, training_spec
from bloodcell.ui.errors import show_errors
from bloodcell.ui.text import plain

HERE, FROM_FILE = "Choose here", "From a file"


def start() -> None:
    """No training is open: ask for one, and begin it."""
    with st.container(border=True):
        how = st.segmented_control(
            "Settings", [HERE, FROM_FILE], default=HERE, required=True, key="train-how", label_visibility="collapsed"
        )
        problem, asked = "", None
        try:
            asked = training_spec.ask_file() if how == FROM_FILE else training_spec.ask_spec()
        except BloodcellError as error:
            problem = str(error)
        if asked is not None:
            training_spec.show(asked[0])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            wanted = st.button(
                "Train", type="primary", icon=":material/model_training:", key="train-go", disabled=asked is None
            )
            if problem:
                st.error(plain(problem), icon=":material/error:")
        if wanted and asked is not None:
            with show_errors():
                training_jobs.open_job(training_spec.submit(*asked).id)
                st.rerun()


layout.through_app()
st.header("Train a model", anchor=False)
job_id = training_jobs.opened_id()
with show_errors(stop=True):
    if job_id is None:
        start()
    elif st.button("New training", icon=":material/add:", key="train-new"):
        training_jobs.open_job(None)
        st.rerun()
with show_errors():
    training_jobs.follow(job_id)
