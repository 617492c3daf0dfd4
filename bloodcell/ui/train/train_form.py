"""Ask for a training job: by the form, or by a settings file."""

from pathlib import Path
from typing import Any

import streamlit as st

from bloodcell.core.errors import SpecError
from bloodcell.core.io import find_data_dir
from bloodcell.core.settings import load_settings
from bloodcell.core.spec import Spec
from bloodcell.jobs.kinds.kfold import KFOLD
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.kinds.search import SEARCH
from bloodcell.jobs.kinds.table import read_job_file
from bloodcell.jobs.kinds.train import TRAIN
from bloodcell.jobs.kinds.trials import TRIALS
from bloodcell.jobs.store import NewJob
from bloodcell.networks.registry import BY_SVM
from bloodcell.training.specs.choices import EVERY_IMAGE
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.ui.shared import state
from bloodcell.ui.shared.messages import show_errors
from bloodcell.ui.train import augmentation_form, data_form, network_form, repeats_form, settings_form
from bloodcell.ui.train.job_request import JobRequest, make_slug
from bloodcell.ui.train.repeats_form import Runs
from bloodcell.ui.train.spec_fields import Fields

MAX_SPEC_BYTES = 1_000_000


def ask_training() -> JobRequest | None:
    """Ask for everything; None where there is nothing to train with."""
    if data_form.warn_if_empty():
        return None
    left, right = st.columns(2, gap="medium")
    with left:
        dataset = data_form.choose_dataset()
    if dataset is None:
        return None
    with left:
        training_data = data_form.ask_training_data(dataset)
    with right:
        network, weights = network_form.ask_network()
        name = st.text_input(
            "Name of the model",
            f"{make_slug(dataset.name)}-{network.name}",
            max_chars=80,
            key=f"train-name-{dataset.id}-{network.name}",
            help="Letters, digits, '.', '_' and '-'. A number is added where the name is taken.",
        )
        runs = repeats_form.ask_runs()
        button = st.container()
    fields = Fields(network)
    if runs.kind is SEARCH:
        runs = repeats_form.ask_bounds(fields, runs.n)
    network_form.show_comparison()
    with st.expander("Input: cell or whole image, size, background", icon=":material/crop:"):
        input_settings = settings_form.ask_input(fields)
    with st.expander("Augmentation", icon=":material/flip:", key="train-variation", on_change="rerun") as expander:
        augmentation = augmentation_form.ask_augmentation(fields)
        if expander.open:
            with show_errors(), st.spinner("Reading images …"):
                augmentation_form.show_examples(
                    dataset, _make_example_spec(fields, input_settings | {"augment": augmentation})
                )
    with st.expander("Class imbalance and unknown cells", icon=":material/balance:"):
        changes = input_settings | {"augment": augmentation} | settings_form.ask_balance(fields, input_settings)
    with st.expander("Training: epochs, learning rate, early stopping", icon=":material/trending_down:"):
        if network.trained_by == BY_SVM:
            st.caption(
                "This model is trained in one step: the network stays as it is, and a support vector machine is fitted."
            )
        else:
            changes |= settings_form.ask_steps(fields, weights)
    with st.expander("Network and hardware", icon=":material/memory:"):
        changes |= settings_form.ask_machine(fields)
    if training_data is None:
        return None
    settings: dict[str, Any] = changes | {
        "title": f"{network.title}, trained on {dataset.name}",
        "class_names": training_data.class_names,
        "weights": weights,
        "folds": training_data.folds,
        "fold": 0 if runs.kind is KFOLD else training_data.fold,  # k-fold holds each out in turn
    }
    source = training_data.source

    def make() -> NewJob:
        if runs.kind is KFOLD and training_data.is_hold_out:
            raise SpecError(
                "k-fold needs a split with folds, each held out in turn. Received: a split with the one held-out set"
                " validation."
            )
        train = TrainSpec.for_network(network.name, name.strip(), (source,), **settings)
        return runs.make_job(train, load_settings().home, state.get_initials())

    return JobRequest(button, make, runs.verb)


def ask_spec_file() -> JobRequest | None:
    """Ask for a settings file of any kind, and the folder that its paths start from; None until one is uploaded."""
    uploaded = st.file_uploader(
        "Settings file of a training run, of trials or of a search", type="json", key="train-spec-file"
    )
    typed = st.text_input(
        "Folder with the images",
        key="train-spec-data",
        placeholder=str(load_settings().home),
        help="The paths in the file start from here. Registered datasets are found without it.",
    )
    if uploaded is None:
        return None
    data, data_dir = uploaded.getvalue(), Path(typed.strip() or load_settings().home).expanduser().resolve()
    runs = repeats_form.ask_runs((TRAIN, TRIALS, KFOLD)) if _is_training(data) else Runs()

    def make() -> NewJob:
        kind, spec = _read_spec(data)
        if isinstance(spec, TrainSpec):
            return runs.make_job(spec, find_data_dir(data_dir), state.get_initials())
        return kind.make_job(spec, find_data_dir(data_dir), state.get_initials())

    return JobRequest(st.container(), make, runs.verb)


def _is_training(data: bytes) -> bool:
    """Whether a file has the settings of one training run, which can be repeated."""
    try:
        return isinstance(_read_spec(data)[1], TrainSpec)
    except SpecError:
        return False


def _read_spec(data: bytes) -> tuple[JobKind[Any], Spec]:
    if len(data) > MAX_SPEC_BYTES:
        raise SpecError(f"A training spec has at most {MAX_SPEC_BYTES:,} bytes. Received: {len(data):,}.")
    try:
        return read_job_file(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SpecError("A training spec must be text in UTF-8.") from error


def _make_example_spec(fields: Fields, changes: dict[str, Any]) -> TrainSpec:
    """Make a spec that crops and augments as the chosen one will."""
    alone = {"class_sampling": EVERY_IMAGE, "images_per_epoch": 0, "unknown_share": 0.0}
    return TrainSpec.for_network(fields.network.name, "any", fields.base.sources, **changes | alone)
