"""The Models page: load a model, and see the card and metrics of those in the model library."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.model_store.library import list_models
from bloodcell.ui.models import import_form, model_library
from bloodcell.ui.shared import layout, model_choice
from bloodcell.ui.shared.messages import escape_md, show_errors

layout.ensure_run_by_app()
st.header("Models", anchor=False)
settings = load_settings()
import_form.ask_import()
with show_errors(stop=True):
    models = list_models(settings)
if not models:
    st.info(
        "There is no model in the model library, so nothing can be classified. Load one above, or train one; it then "
        f"appears here. Each model is a folder in {escape_md(str(settings.runs_dir))}.",
        icon=":material/inventory_2:",
    )
    st.stop()
model = model_library.choose_model(models)
with show_errors():
    model_library.offer_download(model)
model_choice.show_limits(model.io_spec)
with show_errors():
    model_library.show_metrics(model)
with show_errors():
    model_library.show_card(model.folder)
with show_errors():
    model_library.show_detector()
