"""The settings of a training run that most people leave as they are: input, class imbalance, optimisation, hardware.

Every section returns the settings that it asks for, as `TrainSpec` names them.
"""

from typing import Any

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.imaging.scale import SCALINGS
from bloodcell.model_store.io_spec import (
    BOX_FRAME,
    CELL,
    FRAMES,
    IMAGE,
    INPUTS,
    MASK_NONE,
    MASK_OTSU,
    MASK_UNET,
    MASKS,
    PHYSICAL_FRAME,
)
from bloodcell.model_store.mask_models import MaskModel, list_mask_models
from bloodcell.networks.registry import BY_STEPS, BY_SVM
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.choices import (
    BALANCED,
    CLASS_SAMPLINGS,
    CLASS_WEIGHTS,
    CONSTANT,
    COSINE,
    EQUAL_PARTS,
    EVERY_IMAGE,
    EXPONENTIAL,
    KEEP_BEST,
    KEEP_LAST,
    KEEP_MEAN,
    KEEPS,
    MONITORS,
    OPTIMIZERS,
    PLATEAU,
    SCHEDULES,
)
from bloodcell.training.specs.search_spec import KERNEL_FAMILIES
from bloodcell.ui.train.job_request import MASKS_WAY, WAY_KEY
from bloodcell.ui.train.spec_fields import Fields, parse_ints

_INPUTS = {CELL: "cropped cells", IMAGE: "the whole image"}
_MASKS = {
    MASK_NONE: "visible",
    MASK_OTSU: "hidden by Otsu's threshold",
    MASK_UNET: "hidden by a U-Net",
}
SCALING_WORDS = {
    "-1..1": "scaled to -1..1",
    "255": "divided by 255",
    "imagenet torch": "as for ImageNet in PyTorch",
    "imagenet caffe": "as for ImageNet in Caffe",
    "crop": "standardised per image",
    "channel": "standardised per channel",
    "global": "standardised overall",
    "pixel": "standardised per pixel",
}
_SAMPLINGS = {
    EQUAL_PARTS: "every class equally often",
    "as they come": "as often as in the dataset",
    EVERY_IMAGE: "every image once per epoch",
}
_WEIGHTS = {"none": "same weight for all classes", BALANCED: "more weight for rare classes"}
SCHEDULE_WORDS = {
    COSINE: "cosine with warm-up",
    CONSTANT: "constant",
    EXPONENTIAL: "exponential decay",
    PLATEAU: "reduce on plateau",
}
_MONITORS = {
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "val_balanced": "validation balanced accuracy",
}
_OTHER_UNET = "another folder on this computer"
_KEEPS = {
    KEEP_MEAN: "mean of the last steps",
    KEEP_LAST: "last step",
    KEEP_BEST: "best checkpoint",
}

_FRAMES = {BOX_FRAME: "lengths of the cell", PHYSICAL_FRAME: "red cells (real size)"}


def ask_input(fields: Fields) -> dict[str, Any]:
    """Ask what the network sees of an image."""
    settings: dict[str, Any] = {}
    first, second, third, fourth = st.columns(4)
    with first:
        settings["input"] = fields.ask_choice("input", "Input", INPUTS, _INPUTS)
    with second:
        settings["height_px"] = fields.ask_int("height_px", "Height (px)", 16, 1024)
    with third:
        settings["width_px"] = fields.ask_int("width_px", "Width (px)", 16, 1024)
    with fourth:
        settings["context"] = fields.ask_float(
            "context",
            "Crop size",
            1.0,
            4.0,
            step=0.05,
            disabled=settings["input"] != CELL,
            help="In lengths of the cell: 1.25 leaves a margin of an eighth on each side. At real size, in red cells: about 3.",
        )
    first, second, third = st.columns(3)
    with third:
        settings["frame"] = (
            fields.ask_choice("frame", "Crop size counts", FRAMES, _FRAMES) if settings["input"] == CELL else BOX_FRAME
        )
    with first:
        settings["mask"] = fields.ask_choice("mask", "Background", MASKS, _MASKS)
        settings["mask_model"] = _ask_unet(fields) if settings["mask"] == MASK_UNET else ""
    with second:
        settings["scaling"] = fields.ask_choice(
            "scaling",
            "Intensity scaling",
            tuple(SCALINGS),
            SCALING_WORDS,
            help="Part of the network, so it is the same wherever the model is used. Standardised: minus the mean, divided "
            "by the standard deviation of the training images.",
        )
        if settings["input"] == IMAGE:
            settings["needs_white_cell"] = fields.ask_bool(
                "needs_white_cell",
                "Classify only images in which a white cell is found",
                help="Turn this off for images of something else, such as red cells. Then every image gets a class.",
            )
    return settings


def _ask_unet(fields: Fields) -> str:
    """Ask for a U-Net trained here or for a folder; return its path, from the workspace or absolute."""
    settings = load_settings()
    models = {model.name: model for model in list_mask_models(settings)}
    if not models:
        st.info("No U-Net has been trained in this workspace yet.", icon=":material/gesture:")
        st.button(
            "Train a U-Net",
            icon=":material/arrow_forward:",
            key=fields.key("teach-masks"),
            on_click=lambda: st.session_state.update({WAY_KEY: MASKS_WAY}),
        )
    chosen = st.selectbox(
        "U-Net",
        [*models, _OTHER_UNET],
        format_func=lambda name: _describe_unet(models[name]) if name in models else name,
        key=fields.key("mask-model-choice"),
    )
    if chosen in models:
        return str(models[chosen].folder.relative_to(settings.home))
    return st.text_input(
        "Folder of the U-Net", key=fields.key("mask_model"), help="The folder that contains mask.onnx."
    ).strip()


def _describe_unet(model: MaskModel) -> str:
    dice, n_images = model.metrics["dice"]["mean"], model.metrics["images"]
    return f"{model.name} (Dice {dice:.3f} on {format_count(n_images, 'held-out image')})"


def ask_balance(fields: Fields, input_settings: dict[str, Any]) -> dict[str, Any]:
    """Ask how class imbalance and unknown cells are handled.

    Parameters
    ----------
    fields : Fields
    input_settings : dict
        What `ask_input` returned; unknown cells can be sampled only as square crops of cells.
    """
    settings: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        settings["class_sampling"] = fields.ask_choice("class_sampling", "Class sampling", CLASS_SAMPLINGS, _SAMPLINGS)
        is_every_image = settings["class_sampling"] == EVERY_IMAGE
        settings["images_per_epoch"] = fields.ask_int(
            "images_per_epoch",
            "Images per epoch",
            0,
            1_000_000,
            help="0 for all, if every image is used once per epoch.",
        )
    with second:
        settings["class_weights"] = fields.ask_choice(
            "class_weights", "Class weights in the loss", CLASS_WEIGHTS, _WEIGHTS
        )
        settings["focal_gamma"] = fields.ask_float(
            "focal_gamma",
            "Focal loss gamma",
            0.0,
            10.0,
            step=0.5,
            help="0 for the usual cross-entropy; 2 gives easy images little weight.",
        )
    with third:
        is_square_cell = input_settings["input"] == CELL and input_settings["height_px"] == input_settings["width_px"]
        is_possible = is_square_cell and not is_every_image and fields.network.trained_by != BY_SVM
        share = fields.ask_float(
            "unknown_share",
            "Share of unknown cells",
            0.0,
            0.49,
            step=0.05,
            disabled=not is_possible,
            help="Share of the sampled images that show none of the classes, so that the model can flag unknown cells. Only "
            "for square crops of cells, and not if every image is used once per epoch.",
        )
        settings["unknown_share"] = share if is_possible else 0.0
        settings["label_smoothing"] = fields.ask_float("label_smoothing", "Label smoothing", 0.0, 0.49)
    return settings


def ask_steps(fields: Fields, weights: str) -> dict[str, Any]:
    """Ask for epochs, optimizer, learning rate, early stopping and which weights become the model.

    Parameters
    ----------
    fields : Fields
    weights : str
        Starting weights, as `network_form.ask_network` returned them; a phase with a frozen backbone is offered with
        any but "none".
    """
    settings: dict[str, Any] = {}
    first, second, third, fourth = st.columns(4)
    with first:
        settings["epochs"] = fields.ask_int("epochs", "Epochs", 1, 2000)
        settings["batch_size"] = fields.ask_int("batch_size", "Batch size", 2, 1024)
    with second:
        settings["optimizer"] = fields.ask_choice("optimizer", "Optimizer", OPTIMIZERS, {})
        if settings["optimizer"] == "adamw":
            settings["weight_decay"] = fields.ask_float("weight_decay", "Weight decay", 0.0, 1.0, step=1e-4)
        if settings["optimizer"] == "sgd":
            settings["momentum"] = fields.ask_float("momentum", "Momentum", 0.0, 1.0)
    with third:
        settings["learning_rate"] = fields.ask_float("learning_rate", "Learning rate", 0.0, 1.0, step=1e-4)
        settings["schedule"] = fields.ask_choice("schedule", "Learning rate schedule", SCHEDULES, SCHEDULE_WORDS)
        if settings["schedule"] in (EXPONENTIAL, PLATEAU):
            settings["rate_factor"] = fields.ask_float("rate_factor", "Decay factor", 0.0, 1.0, step=0.05)
        if settings["schedule"] == PLATEAU:
            settings["plateau_patience"] = fields.ask_int("plateau_patience", "Plateau patience (epochs)", 1, 1000)
    with fourth:
        settings["patience"] = fields.ask_int(
            "patience",
            "Early stopping (epochs)",
            0,
            1000,
            help="Stop after this many epochs without improvement; 0 for never.",
        )
        settings["keep"] = fields.ask_choice("keep", "Final weights", KEEPS, _KEEPS)
        settings["monitor"] = fields.ask_choice("monitor", "Monitored metric", MONITORS, _MONITORS)
    if weights != "none":
        first, second, _, _ = st.columns(4)
        with first:
            settings["frozen_epochs"] = fields.ask_int(
                "frozen_epochs",
                "Epochs with a frozen backbone",
                0,
                2000,
                help="In a first phase only the new layers are trained; the starting weights stay as they are.",
            )
        if settings["frozen_epochs"]:
            with second:
                settings["frozen_rate"] = fields.ask_float(
                    "frozen_rate", "Learning rate with a frozen backbone", 0.0, 1.0, step=1e-4
                )
    return settings


def ask_machine(fields: Fields) -> dict[str, Any]:
    """Ask for the settings of the network itself, and how the hardware computes."""
    settings: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        settings["dropout"] = fields.ask_float("dropout", "Dropout", 0.0, 1.0, step=0.05)
    if fields.has_stage_widths:
        with second:
            settings["stage_widths"] = parse_ints(
                st.text_input("Filters per stage", key=fields.key("stage_widths"), placeholder="the model's default")
            )
    if fields.network.name in KERNEL_FAMILIES:
        with third:
            settings["kernel_px"] = fields.ask_int(
                "kernel_px", "Kernel size (px)", 0, 15, help="0 for the model's default."
            )
    first, second, third = st.columns(3, vertical_alignment="bottom")
    with first:
        settings["seed"] = fields.ask_int(
            "seed", "Seed", 0, 10**6, help="Another seed gives other samples and starting weights."
        )
    with second:
        settings["deterministic"] = fields.ask_bool(
            "deterministic", "Deterministic", help="Training again on this machine gives exactly the same weights."
        )
    with third:
        settings["mixed_precision"] = fields.ask_bool(
            "mixed_precision",
            "Mixed precision",
            disabled=fields.network.trained_by != BY_STEPS,
            help="Faster on graphics cards and processors that support it, slower on others.",
        )
    return settings
