"""The training spec of the page: from what was asked for, or from a file."""

from pathlib import Path
from typing import Any

import streamlit as st

from bloodcell.errors import DatasetError, SpecError
from bloodcell.jobs.store import NewJob
from bloodcell.settings import load_settings
from bloodcell.training.spec import TrainSpec
from bloodcell.training.spec_words import EVERY_IMAGE
from bloodcell.ui import training_data, training_model, training_sections, training_variation
from bloodcell.ui.errors import show_errors
from bloodcell.ui.training_asked import Asked, new_job, slug
from bloodcell.ui.training_fields import Fields
from bloodcell.zoo.registry import BY_SVM

MAX_SPEC_BYTES = 1_000_000


def ask_here() -> Asked | None:
    """Ask for everything; None where there is nothing to train with."""
    if training_data.say_empty():
        return None
    left, right = st.columns(2, gap="medium")
    with left:
        dataset = training_data.choose_dataset()
    if dataset is None:
        return None
    with left:
        learned = training_data.ask(dataset)
    with right:
        family, weights = training_model.ask()
        name = st.text_input(
            "Name of the model",
            f"{slug(dataset.name)}-{family.name}",
            max_chars=80,
            key=f"train-name-{dataset.id}-{family.name}",
            help="Letters, digits, '.', '_' and '-'. A number is added where the name is taken.",
        )
        button = st.container()
    fields = Fields(family)
    training_model.compare()
    with st.expander("What the model sees: cell or whole picture, size, background", icon=":material/crop:"):
        seen = training_sections.picture(fields)
    with st.expander(
        "Variation of the pictures", icon=":material/flip:", key="train-variation", on_change="rerun"
    ) as opened:
        variation = training_variation.ask(fields)
        if opened.open:
            with show_errors(), st.spinner("Reading pictures …"):
                training_variation.show_examples(dataset, _framing(fields, seen | {"augment": variation}))
    with st.expander("Rare classes and strangers", icon=":material/balance:"):
        changes = seen | {"augment": variation} | training_sections.balance(fields, seen)
    with st.expander("How it learns: epochs, rate, stopping", icon=":material/trending_down:"):
        if family.taught == BY_SVM:
            st.caption(
                "This model learns in one go: the network stays as it is, and a support vector machine is fitted."
            )
        else:
            changes |= training_sections.steps(fields, weights)
    with st.expander("Network and machine", icon=":material/memory:"):
        changes |= training_sections.machine(fields)
    if learned is None:
        return None
    settings: dict[str, Any] = changes | {
        "title": f"{family.title}, taught on {dataset.name}",
        "class_names": learned.class_names,
        "weights": weights,
        "folds": learned.folds,
        "fold": learned.fold,
    }
    source, home = learned.source, load_settings().home
    return Asked(button, lambda: _job(TrainSpec.for_network(family.name, name.strip(), (source,), **settings), home))


def ask_file() -> Asked | None:
    """Ask for a spec in a file, and the folder that its paths start from; None until one is given."""
    given = st.file_uploader("spec.json of a training", type="json", key="train-spec-file")
    typed = st.text_input(
        "Folder that its images lie in",
        key="train-spec-data",
        placeholder=str(load_settings().home),
        help="The paths in the file start from here. Registered datasets are found without it.",
    )
    data_dir = Path(typed.strip() or load_settings().home).expanduser().resolve()
    return None if given is None else Asked(st.container(), lambda: _job(_read(given.getvalue()), _existing(data_dir)))


def _job(spec: TrainSpec, data_dir: Path) -> NewJob:
    return new_job("train", spec.title, spec.name, spec, data_dir)


def _read(data: bytes) -> TrainSpec:
    if len(data) > MAX_SPEC_BYTES:
        raise SpecError(f"A training spec has at most {MAX_SPEC_BYTES:,} bytes. Received: {len(data):,}.")
    try:
        return TrainSpec.from_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SpecError("A training spec must be text in UTF-8.") from error


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise DatasetError(f"There is no data folder {folder}.")
    return folder


def _framing(fields: Fields, changes: dict) -> TrainSpec:
    """A spec that crops and varies as the asked one will."""
    alone = {"class_sampling": EVERY_IMAGE, "images_per_epoch": 0, "unknown_share": 0.0}
    return TrainSpec.for_network(fields.family.name, "any", fields.base.sources, **changes | alone)
