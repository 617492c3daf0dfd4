"""The shelf of models, with the chosen one's card and figures."""

import streamlit as st

from bloodcell.runs.folder import list_models
from bloodcell.settings import load_settings
from bloodcell.ui import intake, layout, model_loading, shelf
from bloodcell.ui.errors import show_errors
from bloodcell.ui.text import plain

layout.through_app()
st.header("Models", anchor=False)
settings = load_settings()
model_loading.load_here()
with show_errors(stop=True):
    models = list_models(settings)
if not models:
    st.info(
        "There is no model on the shelf, so nothing can be classified. Load one above, or train one: it appears here by "
        f"itself. A model is a folder in {plain(str(settings.runs_dir))}.",
        icon=":material/inventory_2:",
    )
    st.stop()
model = shelf.choose_model(models)
with show_errors():
    shelf.offer_download(model)
intake.say_limits(model)
with show_errors():
    shelf.show_figures_of(model)
with show_errors():
    shelf.show_card(model)
