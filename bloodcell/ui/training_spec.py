"""The job of the page: from what was asked for, or from a file."""

from pathlib import Path
from typing import Any

import streamlit as st

from bloodcell.errors import DatasetError, SpecError
from bloodcell.jobs.job_specs import KFOLD, SEARCH, TRAIN, TRIALS, JobSpec, job_of, read_job_spec
from bloodcell.jobs.store import NewJob
from bloodcell.settings import load_settings
from bloodcell.training.spec import TrainSpec
from bloodcell.training.spec_words import EVERY_IMAGE
from bloodcell.ui import (
    state,
    training_data,
    training_experiments,
    training_model,
    training_sections,
    training_variation,
)
from bloodcell.ui.errors import show_errors
from bloodcell.ui.training_asked import Asked, slug
from bloodcell.ui.training_experiments import Runs
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
        runs = training_experiments.ask_runs()
        button = st.container()
    fields = Fields(family)
    if runs.kind == SEARCH:
        runs = training_experiments.ask_bounds(fields, runs.n)
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
        "fold": 0 if runs.kind == KFOLD else learned.fold,  # of k-fold, each is held out in its turn
    }
    source = learned.source

    def make() -> NewJob:
        if runs.kind == KFOLD and learned.is_hold_out:
            raise SpecError(
                "k-fold needs a split of several parts, each held out in its turn. Received: one with the single"
                " held-out part validation."
            )
        train = TrainSpec.for_network(family.name, name.strip(), (source,), **settings)
        return _job(train, runs, load_settings().home)

    return Asked(button, make, runs.verb)


def ask_file() -> Asked | None:
    """Ask for a spec of any kind in a file, and the folder that its paths start from; None until one is given."""
    given = st.file_uploader("Settings of a training, of trials or of a search", type="json", key="train-spec-file")
    typed = st.text_input(
        "Folder that its images lie in",
        key="train-spec-data",
        placeholder=str(load_settings().home),
        help="The paths in the file start from here. Registered datasets are found without it.",
    )
    if given is None:
        return None
    data, data_dir = given.getvalue(), Path(typed.strip() or load_settings().home).expanduser().resolve()
    runs = training_experiments.ask_runs((TRAIN, TRIALS, KFOLD)) if _is_training(data) else Runs()
    return Asked(st.container(), lambda: _job(_read(data), runs, _existing(data_dir)), runs.verb)


def _job(spec: JobSpec, runs: Runs, data_dir: Path) -> NewJob:
    wanted = runs.spec(spec) if isinstance(spec, TrainSpec) else spec
    return job_of(wanted, data_dir, state.who(), is_kfold=runs.kind == KFOLD)


def _is_training(data: bytes) -> bool:
    """Whether a file holds the settings of one training, which can be done more than once."""
    try:
        return isinstance(_read(data), TrainSpec)
    except SpecError:
        return False


def _read(data: bytes) -> JobSpec:
    if len(data) > MAX_SPEC_BYTES:
        raise SpecError(f"A training spec has at most {MAX_SPEC_BYTES:,} bytes. Received: {len(data):,}.")
    try:
        return read_job_spec(data.decode("utf-8"))
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
