"""Which taught U-Net hides the background of a training."""

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.model_store.mask_models import MaskModel, list_mask_models
from bloodcell.ui.train.job_request import MASKS_WAY, WAY_KEY
from bloodcell.ui.train.spec_fields import Fields

_ELSEWHERE = "another folder on this computer"


def ask(fields: Fields) -> str:
    """Ask for one of those that were taught here, or for a folder; its path, from the workspace or absolute."""
    settings = load_settings()
    models = {model.name: model for model in list_mask_models(settings)}
    if not models:
        st.info("No U-Net has been taught in this workspace yet.", icon=":material/gesture:")
        st.button(
            "Teach one",
            icon=":material/arrow_forward:",
            key=fields.key("teach-masks"),
            on_click=lambda: st.session_state.update({WAY_KEY: MASKS_WAY}),
        )
    chosen = st.selectbox(
        "U-Net",
        [*models, _ELSEWHERE],
        format_func=lambda one: _describe_model(models[one]) if one in models else one,
        key=fields.key("mask-model-choice"),
    )
    if chosen in models:
        return str(models[chosen].folder.relative_to(settings.home))
    return st.text_input(
        "Folder of the U-Net", key=fields.key("mask_model"), help="The folder that holds its mask.onnx."
    ).strip()


def _describe_model(model: MaskModel) -> str:
    metrics = model.metrics
    return f"{model.name} (Dice {metrics['dice']['mean']:.3f} on {metrics['images']:,} held-back pictures)"
