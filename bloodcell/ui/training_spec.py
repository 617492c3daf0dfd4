"""The whole training spec of the page: from what was asked for, or from a file; shown, downloaded, and queued."""

import json
import re
from pathlib import Path

import streamlit as st

from bloodcell.errors import DatasetError, SpecError
from bloodcell.jobs.store import Job, NewJob
from bloodcell.settings import load_settings
from bloodcell.training.spec import TrainSpec
from bloodcell.training.spec_words import EVERY_IMAGE
from bloodcell.ui import resources, state, training_data, training_model, training_sections, training_variation
from bloodcell.ui.errors import show_errors
from bloodcell.ui.text import plain
from bloodcell.ui.training_fields import Fields
from bloodcell.zoo.registry import BY_SVM

MAX_SPEC_BYTES = 1_000_000


def ask_spec() -> tuple[TrainSpec, Path] | None:
    """Ask for everything; the spec and the folder that its paths start from, None where there is nothing to train.

    Raises
    ------
    SpecError
        If the settings make no sense together.
    """
    dataset = training_data.choose_dataset()
    if dataset is None:
        return None
    learned = training_data.ask(dataset)
    family, weights = training_model.ask()
    fields = Fields(family)
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
    name = st.text_input(
        "Name of the model",
        f"{_slug(dataset.name)}-{family.name}",
        max_chars=80,
        key=f"train-name-{dataset.id}-{family.name}",
        help="Letters, digits, '.', '_' and '-'. A number is added where the name is taken.",
        width=420,
    )
    if learned is None:
        return None
    if weights == "":
        raise SpecError("`weights` must be 'none', 'imagenet' or the path of a file. Received: ''.")
    spec = TrainSpec.for_network(
        family.name,
        name.strip(),
        (learned.source,),
        title=f"{family.title}, taught on {dataset.name}",
        class_names=learned.class_names,
        weights=weights,
        folds=learned.folds,
        fold=learned.fold,
        **changes,
    )
    return spec, load_settings().home


def ask_file() -> tuple[TrainSpec, Path] | None:
    """Ask for a spec in a file, and the folder that its paths start from; None until one is given.

    Raises
    ------
    SpecError
        If the file is no training spec.
    DatasetError
        If the folder is not there.
    """
    given = st.file_uploader("spec.json of a training", type="json", key="train-spec-file")
    typed = st.text_input(
        "Folder that its images lie in",
        key="train-spec-data",
        placeholder=str(load_settings().home),
        help="The paths in the file start from here. Registered datasets are found without it.",
    )
    if given is None:
        return None
    if given.size > MAX_SPEC_BYTES:
        raise SpecError(f"A training spec has at most {MAX_SPEC_BYTES:,} bytes. Received: {given.size:,}.")
    try:
        spec = TrainSpec.from_json(given.getvalue().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SpecError("The training spec must be text in UTF-8.") from error
    data_dir = Path(typed.strip() or load_settings().home).expanduser()
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    return spec, data_dir.resolve()


def show(spec: TrainSpec) -> None:
    """Show a spec as the file that runs the same by command, with its download."""
    with st.expander(
        "All settings as a file", icon=":material/data_object:", key="train-spec", on_change="rerun"
    ) as opened:
        if not opened.open:
            return
        st.caption(
            "The same training by command: "
            f"`python -m bloodcell jobs submit {spec.name}.json --data {plain(str(load_settings().home))}`"
        )
        download(spec.to_json(), spec.name, "train-spec-download")
        st.code(spec.to_json(), language="json", height=320)


def download(text: str, name: str, key: str) -> None:
    """Offer a spec as a file."""
    st.download_button(
        "Download",
        text,
        f"{_slug(name)}.json",
        "application/json",
        icon=":material/download:",
        key=key,
        on_click="ignore",
    )


def submit(spec: TrainSpec, data_dir: Path) -> Job:
    """Queue a training; the errors of `JobQueue.submit`."""
    new = NewJob(
        kind="train",
        title=spec.title or spec.name,
        name=spec.name,
        spec=json.loads(spec.to_json()),
        data_dir=str(data_dir),
        who=state.who(),
    )
    return resources.jobs().submit(new)


def _framing(fields: Fields, changes: dict) -> TrainSpec:
    """A spec that crops and varies as the asked one will."""
    alone = {"class_sampling": EVERY_IMAGE, "images_per_epoch": 0, "unknown_share": 0.0}
    return TrainSpec.for_network(fields.family.name, "any", fields.base.sources, **changes | alone)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "model"
