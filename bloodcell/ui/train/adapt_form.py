"""Ask which model to adapt to a few dozen reviewed cells, and whether there are enough of them."""

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.io import find_data_dir
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.library import get_dataset, list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, SourceSpec
from bloodcell.jobs.kinds.adapt import ADAPT
from bloodcell.jobs.store import NewJob
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import ModelInfo, list_models
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.training.samples.adapt_cells import (
    MIN_CELLS,
    CellCounts,
    build_continuation_spec,
    check_cells,
    count_cells,
)
from bloodcell.training.specs.adapt_spec import AdaptSpec, build_registered_source
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.shared import state
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.shared.model_choice import describe_model
from bloodcell.ui.train import data_form
from bloodcell.ui.train.job_request import ADAPT_WAY, WAY_KEY, JobRequest, make_slug

_MODEL_KEY, _CELLS_KEY = "train-adapt-model", "train-adapt-cells"
_LEFT_OUT = "leave out"
_DEFAULTS = AdaptSpec("any", "any", SourceSpec("any", "any"))  # with the defaults of every setting


def show_link(dataset: Dataset, model_name: str) -> None:
    """Link to the Train page, where this dataset and model are then chosen.

    Parameters
    ----------
    dataset : Dataset
    model_name : str
        Model to adapt; left open on the page where it is not in the model library.
    """
    by_name = {model.name: model for model in list_models(load_settings())}
    model_param = {_MODEL_KEY: describe_model(by_name[model_name])} if model_name in by_name else {}
    st.page_link(
        "pages/train.py",
        label="Adapt a model with these cells",
        icon=":material/tune:",
        query_params={WAY_KEY: ADAPT_WAY, _CELLS_KEY: data_form.describe_dataset(dataset)} | model_param,
    )


def ask_adaptation() -> JobRequest | None:
    """Ask for a model and cells; None where there is no model to adapt, or no cells."""
    if not list_datasets(load_settings()):
        st.info(
            "There are no labelled cells yet. Review the cells of a batch on the Classify page and make a dataset from them, "
            "or add a folder of labelled images on the Datasets page.",
            icon=":material/folder_open:",
        )
        st.page_link("pages/classify.py", label="Classify", icon=":material/biotech:")
        st.page_link("pages/datasets.py", label="Datasets", icon=":material/dataset:")
        return None
    st.caption(
        "Continue the training of a model with a few dozen cells of your own laboratory, in minutes. Some of the cells are "
        "held out to compare the model before and after. The adapted model is saved, beside the old one, only if it is "
        "better on the held-out cells."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        chosen = _choose_model()
        dataset = data_form.choose_dataset("Labelled cells", _CELLS_KEY)
    if chosen is None or dataset is None:
        return None
    model, training = chosen
    with left:
        groups = data_form.ask_groups(dataset)
        cells_place = st.container()
    with right:
        name = st.text_input(
            "Name of the new model",
            f"{model.name}-{make_slug(dataset.name)}",
            max_chars=80,
            key=f"train-adapt-name-{model.name}-{dataset.id}",
            help="Letters, digits, '.', '_' and '-'. A number is added if the name is taken. The old model stays.",
        )
        labels = _ask_labels(dataset, model)
        button = st.container()
    settings = _ask_settings(model, training)
    home = load_settings().home
    source = replace(build_registered_source(dataset, load_settings()), groups=groups, labels=labels, unlisted="skip")
    cells = count_cells(source, home, model.class_names)
    with cells_place:
        _show_cells(cells, float(settings["held_share"]), {label for label, _ in labels})

    def make() -> NewJob:
        spec = AdaptSpec(name.strip(), model.name, source, **settings)
        build_continuation_spec(
            spec, model.folder, ModelFolder(model.folder).read_description().document
        )  # refuses settings that make no sense
        check_cells(spec, cells)
        if spec.old_data:
            find_data_dir(spec.old_data)
        return ADAPT.make_job(spec, home, state.get_initials())

    return JobRequest(button, make, "Adapt")


def _choose_model() -> tuple[ModelInfo, TrainSpec] | None:
    """Ask for a model that can be adapted, return it with its previous training; say why others cannot be."""
    usable: dict[str, tuple[ModelInfo, TrainSpec]] = {}
    others: dict[str, str] = {}
    for model in list_models(load_settings()):
        probe = replace(_DEFAULTS, model=model.name)
        try:
            description = ModelFolder(model.folder).read_description().document
            build_continuation_spec(probe, model.folder, description)
            usable[model.name] = model, probe.read_previous_training(description)
        except BloodcellError as error:
            others[model.name] = str(error)
    if usable:
        name = st.selectbox(
            "Model to adapt",
            list(usable),
            format_func=lambda name: describe_model(usable[name][0]),
            key=_MODEL_KEY,
            bind="query-params",
        )
    else:
        st.info("No model in the model library can be adapted. Train one first.", icon=":material/inventory_2:")
    if others:
        with st.expander(f"{format_count(len(others), 'model')} cannot be adapted", icon=":material/block:"):
            st.markdown("\n".join(f"- **{escape_md(other)}**: {escape_md(reason)}" for other, reason in others.items()))
    return usable[name] if usable else None


def _ask_labels(dataset: Dataset, model: ModelInfo) -> tuple[tuple[str, str], ...]:
    """Ask which class of the model each other label means; labels without one are left out."""
    other_labels = [label for label in dataset.class_names if label.upper() not in model.class_names]
    if not other_labels:
        return ()
    st.caption(
        f"{escape_md(model.name)} does not have these labels. Choose the class that each one means, or leave it out."
    )
    renamed = []
    columns = st.columns(min(3, len(other_labels)))
    for number, label in enumerate(other_labels):
        with columns[number % len(columns)]:
            class_name = st.selectbox(
                escape_md(label),
                [_LEFT_OUT, *model.class_names],
                format_func=lambda option: option if option == _LEFT_OUT else format_label(option),
                key=f"train-adapt-label-{model.name}-{dataset.id}-{number}",
            )
        if class_name != _LEFT_OUT:
            renamed.append((label, class_name))
    return tuple(renamed)


def _show_cells(cells: CellCounts, held_share: float, renamed: set[str]) -> None:
    """Show how many cells of each class there are, and warn where they are too few."""
    table = pd.DataFrame({"Class": map(format_label, cells.images), "Cells": list(cells.images.values())})
    if cells.source_cells is not None:
        table["Source cells"] = list(cells.source_cells.values())
    st.dataframe(table, hide_index=True, key="train-adapt-counts", height="content")
    total = sum(cells.images.values())
    st.caption(
        f"{format_count(total, 'cell')} in all, {MIN_CELLS} are needed. About {round(held_share * total):,} of them, from "
        "every class, are held out to compare before and after. The model is trained on the others."
    )
    n_left_out = sum(cells.ood_labels.values())
    if n_left_out:
        labels = ", ".join(
            f"{format_label(label)} ({n:,})" for label, n in cells.ood_labels.items() if label not in renamed
        )
        st.caption(escape_md(f"Left out, as the model does not have these classes: {labels}."))
    single = [format_label(name) for name, n in (cells.source_cells or cells.images).items() if n == 1]
    if single:
        st.warning(
            f"There is only one source cell of {escape_md(', '.join(single))}. It can be either trained on or held out: either "
            "the model is not trained on this class, or the comparison does not cover it.",
            icon=":material/warning:",
        )


def _ask_settings(model: ModelInfo, training: TrainSpec) -> dict[str, Any]:
    """Ask for what most people leave as it is; return settings of an AdaptSpec."""
    settings: dict[str, Any] = {}
    with st.expander("Training: share held out, epochs, learning rate, old images", icon=":material/trending_down:"):
        first, second, third, fourth = st.columns(4)
        with first:
            settings["held_share"] = st.slider(
                "Share held out",
                0.1,
                0.6,
                _DEFAULTS.held_share,
                0.05,
                key="train-adapt-held_share",
                help="More cells make the comparison more certain; fewer leave more to train on.",
            )
        with second:
            settings["epochs"] = int(st.number_input("Epochs", 2, 500, _DEFAULTS.epochs, key="train-adapt-epochs"))
            settings["frozen_epochs"] = int(
                st.number_input(
                    "Epochs with a frozen backbone",
                    1,
                    499,
                    _DEFAULTS.frozen_epochs,
                    key="train-adapt-frozen_epochs",
                    help="In the first of the epochs, only the last layers are trained.",
                )
            )
        with third:
            for name, label in (
                ("learning_rate", "Learning rate"),
                ("frozen_rate", "Learning rate with a frozen backbone"),
            ):
                settings[name] = float(
                    st.number_input(label, 0.0, 1.0, getattr(_DEFAULTS, name), format="%g", key=f"train-adapt-{name}")
                )
        with fourth:
            settings["images_per_epoch"] = int(
                st.number_input(
                    "Images per epoch", 1, 10**6, _DEFAULTS.images_per_epoch, key="train-adapt-images_per_epoch"
                )
            )
            settings["seed"] = int(
                st.number_input(
                    "Seed",
                    0,
                    10**6,
                    _DEFAULTS.seed,
                    key="train-adapt-seed",
                    help="Another seed holds out other cells.",
                )
            )
        settings["old_data"] = _ask_old_data(model, training)
    return settings


def _ask_old_data(model: ModelInfo, training: TrainSpec) -> str:
    """Ask whether to train on the old images too; return their folder, "" for the new cells alone."""
    names = escape_md(", ".join(source.name for source in training.sources))
    label, key = "Train on the old images too", f"train-adapt-old-{model.name}"
    meaning = f"{names}: half of the images per epoch. This takes longer, and the model forgets less."
    if any(source.layout != DATASET for source in training.sources):
        return st.text_input(
            f"{label}: their folder",
            key=key,
            placeholder="empty: only the new cells",
            help=meaning,
        ).strip()
    try:
        for source in training.sources:
            get_dataset(source.path, load_settings())
    except DatasetError as error:
        st.caption(f"{label}: {escape_md(str(error))}")
        return ""
    return str(load_settings().home) if st.toggle(label, key=key, help=meaning) else ""
