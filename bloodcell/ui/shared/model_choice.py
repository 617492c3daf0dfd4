"""A model of the library on several pages: chosen for a batch, linked to, and its limits told."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.model_store.io_spec import IMAGE, ModelIOSpec
from bloodcell.model_store.library import ModelInfo, list_models
from bloodcell.ui.shared import state

_MODEL_KEY = "classify-model"


def ask_model() -> ModelInfo | None:
    """Ask for the model of a new batch; say so and return None where the model library is empty."""
    models = list_models(load_settings())
    if not models:
        st.warning(
            "There is no model in the model library, so images cannot be classified. Load one on the Models page, or "
            "train one on the Train page.",
            icon=":material/inventory_2:",
        )
        return None
    model = models[0]
    if len(models) > 1:
        model = st.selectbox("Model", models, format_func=describe_model, key=_MODEL_KEY, bind="query-params")
    show_limits(model.io_spec)
    return model


def show_limits(io_spec: ModelIOSpec) -> None:
    """Say so where a model classifies only one cell of an image, or has no measured thresholds."""
    if not io_spec.has_thresholds:
        st.warning(
            "No thresholds were measured for this model: every cell is marked Check, none is Confident or Unfamiliar.",
            icon=":material/visibility:",
        )
    if io_spec.input == IMAGE:
        limit = (
            "if it shows several white cells, only the largest is classified."
            if io_spec.needs_white_cell
            else "use one cell per image. Every image is classified, whatever it shows."
        )
        st.info(f"This model looks at the whole image: {limit}", icon=":material/crop_free:")


def show_model_link(name: str) -> None:
    """Link to the Classify page with a model of the library chosen for the next batch.

    Parameters
    ----------
    name : str
        Of the model; without one of this name in the library, nothing is shown.
    """
    model = next((model for model in list_models(load_settings()) if model.name == name), None)
    if model is not None:
        st.page_link(
            "pages/classify.py",
            label="Classify with this model",
            icon=":material/biotech:",
            query_params={state.BATCH_PARAM: "", _MODEL_KEY: describe_model(model)},  # no batch that was open before
        )


def describe_model(model: ModelInfo) -> str:
    """Return a model as an entry of a list of choices: its name and title."""
    return f"{model.name}: {model.title}"
