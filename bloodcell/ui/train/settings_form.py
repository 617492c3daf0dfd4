"""The settings of a training that most people leave as they are: what it sees, rare classes, how it learns, the machine.

Every section returns the settings that it asks for, as `TrainSpec` names them.
"""

from typing import Any

import streamlit as st

from bloodcell.imaging.scale import SCALINGS
from bloodcell.model_store.io_spec import CELL, IMAGE, INPUTS, MASK_NONE, MASK_OTSU, MASK_UNET, MASKS
from bloodcell.networks.registry import BY_STEPS, BY_SVM
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
from bloodcell.ui.train import unet_choice
from bloodcell.ui.train.spec_fields import Fields, parse_ints

_INPUTS = {CELL: "each found cell, cut out", IMAGE: "the whole picture"}
_MASKS = {
    MASK_NONE: "nothing is hidden",
    MASK_OTSU: "background hidden by Otsu's threshold",
    MASK_UNET: "background hidden by a U-Net",
}
SCALING_WORDS = {
    "-1..1": "to -1..1",
    "255": "divided by 255",
    "imagenet torch": "as PyTorch's ImageNet networks",
    "imagenet caffe": "as Caffe's ImageNet networks",
    "crop": "each picture by its own levels",
    "channel": "standardised per colour",
    "global": "standardised over all",
    "pixel": "standardised per pixel",
}
_SAMPLINGS = {
    EQUAL_PARTS: "every class equally often",
    "as they come": "as often as there are pictures of it",
    EVERY_IMAGE: "every picture once an epoch",
}
_WEIGHTS = {"none": "all pictures weigh the same", BALANCED: "rare classes weigh more"}
SCHEDULE_WORDS = {
    COSINE: "up, then down along a cosine",
    CONSTANT: "constant",
    EXPONENTIAL: "falls every epoch",
    PLATEAU: "falls when nothing improves",
}
_MONITORS = {
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "val_balanced": "validation accuracy, classes weighed equally",
}
_KEEPS = {
    KEEP_MEAN: "mean of the last steps",
    KEEP_LAST: "those of the last step",
    KEEP_BEST: "those of the best epoch",
}


def ask_input(fields: Fields) -> dict[str, Any]:
    """What the network sees of a picture."""
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
            "Side of the cut-out",
            1.0,
            4.0,
            step=0.05,
            disabled=settings["input"] != CELL,
            help="In lengths of the cell: 1.25 leaves an eighth of the cell's length free on each side.",
        )
    first, second = st.columns(2)
    with first:
        settings["mask"] = fields.ask_choice("mask", "Background", MASKS, _MASKS)
        settings["mask_model"] = unet_choice.ask(fields) if settings["mask"] == MASK_UNET else ""
    with second:
        settings["scaling"] = fields.ask_choice(
            "scaling",
            "Gray levels are scaled",
            tuple(SCALINGS),
            SCALING_WORDS,
            help="Inside the network, so that it is done alike wherever the model is used. Standardised: less the mean, "
            "divided by the standard deviation, of the learned pictures.",
        )
        if settings["input"] == IMAGE:
            settings["needs_white_cell"] = fields.ask_bool(
                "needs_white_cell",
                "Name only pictures in which a white cell is found",
                help="Off for pictures of something else, such as red cells: then every picture gets a class.",
            )
    return settings


def ask_balance(fields: Fields, seen: dict[str, Any]) -> dict[str, Any]:
    """How rare classes and strangers are dealt with; `seen` as `ask_input` gave it."""
    settings: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        settings["class_sampling"] = fields.ask_choice(
            "class_sampling", "Classes are drawn", CLASS_SAMPLINGS, _SAMPLINGS
        )
        is_every = settings["class_sampling"] == EVERY_IMAGE
        settings["images_per_epoch"] = fields.ask_int(
            "images_per_epoch", "Pictures an epoch", 0, 1_000_000, help="0 for all, where every picture is taken once."
        )
    with second:
        settings["class_weights"] = fields.ask_choice("class_weights", "In the loss", CLASS_WEIGHTS, _WEIGHTS)
        settings["focal_gamma"] = fields.ask_float(
            "focal_gamma",
            "Focal loss, gamma",
            0.0,
            10.0,
            step=0.5,
            help="0 for the usual cross-entropy; 2 lets easy pictures weigh little.",
        )
    with third:
        can = seen["input"] == CELL and seen["height_px"] == seen["width_px"] and not is_every
        can = can and fields.family.trained_by != BY_SVM
        share = fields.ask_float(
            "unknown_share",
            "Share of strangers",
            0.0,
            0.49,
            step=0.05,
            disabled=not can,
            help="Part of the drawn pictures that shows none of the classes, so that the model learns to say so. Only "
            "for square cut-out cells that are drawn, not each taken once.",
        )
        settings["unknown_share"] = share if can else 0.0
        settings["label_smoothing"] = fields.ask_float("label_smoothing", "Label smoothing", 0.0, 0.49)
    return settings


def ask_steps(fields: Fields, weights: str) -> dict[str, Any]:
    """How it learns: epochs, optimizer, rate, when to stop and which weights to keep."""
    settings: dict[str, Any] = {}
    first, second, third, fourth = st.columns(4)
    with first:
        settings["epochs"] = fields.ask_int("epochs", "Epochs", 1, 2000)
        settings["batch_size"] = fields.ask_int("batch_size", "Pictures a batch", 2, 1024)
    with second:
        settings["optimizer"] = fields.ask_choice("optimizer", "Optimizer", OPTIMIZERS, {})
        if settings["optimizer"] == "adamw":
            settings["weight_decay"] = fields.ask_float("weight_decay", "Weight decay", 0.0, 1.0, step=1e-4)
        if settings["optimizer"] == "sgd":
            settings["momentum"] = fields.ask_float("momentum", "Momentum", 0.0, 1.0)
    with third:
        settings["learning_rate"] = fields.ask_float("learning_rate", "Learning rate", 0.0, 1.0, step=1e-4)
        settings["schedule"] = fields.ask_choice("schedule", "The rate", SCHEDULES, SCHEDULE_WORDS)
        if settings["schedule"] in (EXPONENTIAL, PLATEAU):
            settings["rate_factor"] = fields.ask_float("rate_factor", "Factor", 0.0, 1.0, step=0.05)
        if settings["schedule"] == PLATEAU:
            settings["plateau_patience"] = fields.ask_int("plateau_patience", "Epochs to wait for it", 1, 1000)
    with fourth:
        settings["patience"] = fields.ask_int(
            "patience", "Stop early after", 0, 1000, help="So many epochs without a better one; 0 for never."
        )
        settings["keep"] = fields.ask_choice("keep", "Weights that are kept", KEEPS, _KEEPS)
        settings["monitor"] = fields.ask_choice("monitor", "Epochs are judged by", MONITORS, _MONITORS)
    if weights != "none":
        first, second, _, _ = st.columns(4)
        with first:
            settings["frozen_epochs"] = fields.ask_int(
                "frozen_epochs",
                "Epochs of a first round",
                0,
                2000,
                help="In it only the new layers learn, and the weights it starts from stay as they are.",
            )
        if settings["frozen_epochs"]:
            with second:
                settings["frozen_rate"] = fields.ask_float(
                    "frozen_rate", "Rate of the first round", 0.0, 1.0, step=1e-4
                )
    return settings


def ask_machine(fields: Fields) -> dict[str, Any]:
    """The network's own numbers, and how the machine computes."""
    settings: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        settings["dropout"] = fields.ask_float("dropout", "Dropout", 0.0, 1.0, step=0.05)
    if fields.has_stage_widths:
        with second:
            settings["stage_widths"] = parse_ints(
                st.text_input("Filters of the stages", key=fields.key("stage_widths"), placeholder="the model's own")
            )
    if fields.family.name in KERNEL_FAMILIES:
        with third:
            settings["kernel_px"] = fields.ask_int(
                "kernel_px", "Side of the kernels (px)", 0, 15, help="0: the model's own."
            )
    first, second, third = st.columns(3, vertical_alignment="bottom")
    with first:
        settings["seed"] = fields.ask_int("seed", "Seed", 0, 10**6, help="Other seeds draw other pictures and weights.")
    with second:
        settings["deterministic"] = fields.ask_bool(
            "deterministic", "The same weights to the last bit", help="When it is trained again on this machine."
        )
    with third:
        settings["mixed_precision"] = fields.ask_bool(
            "mixed_precision",
            "Mixed precision",
            disabled=fields.family.trained_by != BY_STEPS,
            help="Faster on graphics cards and processors made for it, slower on others.",
        )
    return settings
