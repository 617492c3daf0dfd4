"""What a training learns from: a registered dataset, its split, its source cells, its classes."""

import re
from dataclasses import dataclass

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.changes import UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits, open_split, read_stored_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, STORED, SourceSpec, Unlisted, format_source_name
from bloodcell.datasets.splits.split import TRAIN, VALIDATION, Split
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.adapt_spec import find_reviewed_groups
from bloodcell.ui.datasets.splits_tab import LEAKY_TEXT
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.messages import escape_md

NEW_SPLIT = "made when the training begins"
PIXELS, EACH = "pixels", "each"
_GROUP_WORDS = {
    STORED: "those found on the Datasets page",
    PIXELS: "look for copies of one cell first",
    EACH: "every picture is a cell of its own",
}
_OTHERS: dict[Unlisted, str] = {"unknown": "teach the model to call them unfamiliar", "skip": "leave them out"}
_DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class TrainingData:
    """What was chosen: the dataset, how it enters the spec, and which part is held out.

    fold : -1 for each in turn
    is_hold_out : whether the split has only one part to hold out
    """

    dataset: Dataset
    source: SourceSpec
    class_names: tuple[str, ...]
    folds: int
    fold: int
    is_hold_out: bool


NO_DATASET_TEXT = (
    "There is no dataset to learn from yet. Add a folder of labelled pictures on the Datasets page; then one "
    "click here trains a model on it."
)


def warn_if_empty(words: str = NO_DATASET_TEXT) -> bool:
    """Whether there is no dataset yet; then it is said, in these words, where to add one."""
    is_empty = not list_datasets(load_settings())
    if is_empty:
        st.info(words, icon=":material/folder_open:")
        st.page_link("pages/datasets.py", label="Add a dataset", icon=":material/dataset:")
    return is_empty


def choose_dataset(label: str = "Dataset", key: str = "train-dataset") -> Dataset | None:
    """Ask for a dataset of the shelf, which the address may name; None where its images are not as registered."""
    by_id = {one.id: one for one in list_datasets(load_settings())}
    chosen = st.selectbox(
        label, list(by_id), format_func=lambda one: describe_dataset(by_id[one]), key=key, bind="query-params"
    )
    dataset = by_id[chosen]
    state = check_dataset_state(dataset, reads_bytes=True)
    if state.kind != UNCHANGED:
        st.error(escape_md(f"{state.message} Look at its pictures anew on the Datasets page."), icon=":material/error:")
        st.page_link("pages/datasets.py", label="Datasets", icon=":material/dataset:")
        return None
    return dataset


def describe_dataset(dataset: Dataset) -> str:
    """A dataset as one chooses among them."""
    return f"{dataset.name} ({format_count(dataset.n_images, 'picture')})"


def ask(dataset: Dataset) -> TrainingData | None:
    """Ask for split, source cells and classes; None where the chosen split cannot be trained with."""
    class_names, unlisted = _ask_classes(dataset)
    split_choice = _ask_split(dataset)
    groups = ask_groups(dataset)
    if split_choice is None:
        return None
    split, folds, fold, is_hold_out = split_choice
    source = SourceSpec(
        name=format_source_name(dataset.name),
        path=dataset.id,
        layout=DATASET,
        groups=groups,
        split=split,
        unlisted=unlisted,
    )
    return TrainingData(dataset, source, class_names, folds, fold, is_hold_out)


def list_class_names(dataset: Dataset) -> list[str]:
    """The labels of a dataset as training names them: in capitals."""
    return sorted({label.upper() for label in dataset.class_names})


def _ask_split(dataset: Dataset) -> tuple[str, int, int, bool] | None:
    """Name of the split ("" for folds made anew), number of folds, the one held out, whether no other can be."""
    splits = {name: _load_split(dataset, name) for name in list_stored_splits(dataset)}
    options = [*sorted(splits, key=lambda name: (splits[name].leaky, name)), NEW_SPLIT]
    name = st.selectbox(
        "Split",
        options,
        format_func=lambda one: f"{one} (leaky)" if one in splits and splits[one].leaky else one,
        key=f"train-split-{dataset.id}",
        help="Into pictures to learn from and held-out ones. The model never learns from those, and how good it is, is "
        "measured on them. Splits are made on the Datasets page.",
    )
    if name == NEW_SPLIT:
        left, right = st.columns(2)
        with left:
            folds = int(st.number_input("Parts", 2, 20, _DEFAULT_FOLDS, key="train-folds"))
        with right:
            return "", folds, _ask_fold(folds), False
    split = splits[name]
    if split.leaky:
        st.error(f"This split is {LEAKY_TEXT}.", icon=":material/warning:")
    folds = sum(re.fullmatch(r"fold\d+", part) is not None for part in split.parts)
    if folds >= 2:
        return name, folds, _ask_fold(folds), False
    if {TRAIN, VALIDATION} <= set(split.parts):
        st.caption("Held out: the part validation. A test part is not looked at.")
        return name, _DEFAULT_FOLDS, 0, True
    st.error(
        "A split to train with needs folds, or the parts train and validation. This one has: "
        f"{escape_md(', '.join(split.parts))}.",
        icon=":material/error:",
    )
    return None


def _ask_fold(folds: int) -> int:
    return st.selectbox(
        "Held out",
        [*range(folds), -1],
        format_func=lambda fold: (
            f"part {fold + 1} of {folds}" if fold >= 0 else f"each in turn, then a model of all ({folds + 1} runs)"
        ),
        key=f"train-fold-{folds}",
    )


def _load_split(dataset: Dataset, name: str) -> Split:
    file = list_stored_splits(dataset)[name]
    return get_or_compute(("split", str(file), file.stat().st_mtime_ns), lambda: open_split(file))


def ask_groups(dataset: Dataset) -> str:
    """Ask which pictures show the same cell; `groups` of a `SourceSpec`."""
    found_groups, decided = read_stored_groups(dataset), find_reviewed_groups(dataset, load_settings())
    usable = found_groups is not None and found_groups.is_current
    ways = [*([STORED] if usable else []), *([decided] if decided else []), PIXELS, EACH]
    how = st.selectbox(
        "Which pictures show the same cell",
        ways,
        format_func=lambda way: _GROUP_WORDS.get(way, "cells of one image of the batch stay together"),
        key=f"train-groups-{dataset.id}-{usable}",
        help="Copies of one cell (turned, mirrored, darker) stay together: none is held out while another is learned.",
    )
    if how == EACH:
        st.warning(
            "Only right where no picture is a copy of another. Otherwise copies are learned and held out, and the "
            "figures are too good.",
            icon=":material/warning:",
        )
    elif how == STORED and found_groups is not None:
        st.caption(f"{format_count(len(found_groups.sizes()), 'source cell')}: {escape_md(found_groups.how)}")
    elif how == decided:
        st.caption("As the batch noted it. Images of one cell are taken for different ones.")
    elif found_groups is not None and not found_groups.is_current:
        st.caption("The pictures have changed since copies were found, so they are looked for again before training.")
    else:
        st.caption(
            "Which pictures are copies is not known yet, so copies are looked for before the training begins. This "
            "takes minutes for thousands of pictures, once."
        )
    return how


def _ask_classes(dataset: Dataset) -> tuple[tuple[str, ...], Unlisted]:
    names = list_class_names(dataset)
    chosen = st.multiselect(
        "Classes", names, names, format_func=format_label, key=f"train-classes-{dataset.fingerprint}"
    )
    unlisted: Unlisted = "unknown"
    if 0 < len(chosen) < len(names):
        unlisted = st.radio(
            "Pictures of the other classes",
            list(_OTHERS),
            format_func=_OTHERS.__getitem__,
            horizontal=True,
            key="train-unlisted",
        )
    return tuple(sorted(chosen)), unlisted
