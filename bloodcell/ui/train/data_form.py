"""What a model is trained on: a registered dataset, its split, its duplicate groups, its classes."""

import re
from dataclasses import dataclass

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.changes import UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits, read_stored_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, STORED, SourceSpec, Unlisted, format_source_name
from bloodcell.datasets.splits.split import TRAIN, VALIDATION, Split
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.adapt_spec import find_reviewed_groups
from bloodcell.ui.datasets.splits_tab import LEAKY_TEXT
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.messages import escape_md

NEW_SPLIT = "new, created when training starts"
PIXELS, EACH = "pixels", "each"
_GROUP_WORDS = {
    STORED: "as found on the Datasets page",
    PIXELS: "find duplicates first",
    EACH: "none: every image is a different cell",
}
_OTHERS: dict[Unlisted, str] = {"unknown": "use as examples of unfamiliar cells", "skip": "leave out"}
_DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class TrainingData:
    """What was chosen to train on.

    Attributes
    ----------
    dataset : Dataset
    source : SourceSpec
        The dataset as it enters the spec.
    class_names : tuple of str
    folds : int
    fold : int
        The fold that is held out; -1 for each in turn.
    is_hold_out : bool
        Whether the split has a validation set instead of folds.
    """

    dataset: Dataset
    source: SourceSpec
    class_names: tuple[str, ...]
    folds: int
    fold: int
    is_hold_out: bool


NO_DATASET_TEXT = (
    "There is no dataset to train on yet. Add a folder of labelled images on the Datasets page; then one click here "
    "trains a model on it."
)


def warn_if_empty(text: str = NO_DATASET_TEXT) -> bool:
    """Show `text` and a link where to add a dataset if there is none yet; return whether that is so."""
    is_empty = not list_datasets(load_settings())
    if is_empty:
        st.info(text, icon=":material/folder_open:")
        st.page_link("pages/datasets.py", label="Add a dataset", icon=":material/dataset:")
    return is_empty


def choose_dataset(label: str = "Dataset", key: str = "train-dataset") -> Dataset | None:
    """Ask for a dataset, which the address may name.

    Parameters
    ----------
    label : str, default "Dataset"
    key : str, default "train-dataset"
        Key of the widget, which is also the parameter in the address.

    Returns
    -------
    Dataset or None
        None where its images have changed since the last scan; the page then says so.
    """
    by_id = {dataset.id: dataset for dataset in list_datasets(load_settings())}
    chosen = st.selectbox(
        label,
        list(by_id),
        format_func=lambda dataset_id: describe_dataset(by_id[dataset_id]),
        key=key,
        bind="query-params",
    )
    dataset = by_id[chosen]
    state = check_dataset_state(dataset, reads_bytes=True)
    if state.kind != UNCHANGED:
        st.error(escape_md(f"{state.message} Rescan it on the Datasets page."), icon=":material/error:")
        st.page_link("pages/datasets.py", label="Datasets", icon=":material/dataset:")
        return None
    return dataset


def describe_dataset(dataset: Dataset) -> str:
    """Describe a dataset for the list to choose from: its name and number of images."""
    return f"{dataset.name} ({format_count(dataset.n_images, 'image')})"


def ask_training_data(dataset: Dataset) -> TrainingData | None:
    """Ask for split, duplicate groups and classes; None where the chosen split cannot be trained with."""
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
    """Return the labels of a dataset as training names them: in capitals, sorted."""
    return sorted({label.upper() for label in dataset.class_names})


def _ask_split(dataset: Dataset) -> tuple[str, int, int, bool] | None:
    """Ask for the split: its name ("" for new folds), number of folds, the held-out one, whether no other can be."""
    splits = {name: _load_split(dataset, name) for name in list_stored_splits(dataset)}
    options = [*sorted(splits, key=lambda name: (splits[name].leaky, name)), NEW_SPLIT]
    name = st.selectbox(
        "Split",
        options,
        format_func=lambda name: f"{name} (leaky)" if name in splits and splits[name].leaky else name,
        key=f"train-split-{dataset.id}",
        help="Divides the images into training and held-out images. The model is never trained on held-out images; its "
        "metrics are measured on them. Create splits on the Datasets page.",
    )
    if name == NEW_SPLIT:
        left, right = st.columns(2)
        with left:
            folds = int(st.number_input("Folds", 2, 20, _DEFAULT_FOLDS, key="train-folds"))
        with right:
            return "", folds, _ask_fold(folds), False
    split = splits[name]
    if split.leaky:
        st.error(f"This split is {LEAKY_TEXT}.", icon=":material/warning:")
    folds = sum(re.fullmatch(r"fold\d+", part) is not None for part in split.parts)
    if folds >= 2:
        return name, folds, _ask_fold(folds), False
    if {TRAIN, VALIDATION} <= set(split.parts):
        st.caption("Held out: the validation set. The test set, if there is one, is not used.")
        return name, _DEFAULT_FOLDS, 0, True
    st.error(
        "A split to train with needs folds, or the sets train and validation. This one has: "
        f"{escape_md(', '.join(split.parts))}.",
        icon=":material/error:",
    )
    return None


def _ask_fold(folds: int) -> int:
    fold: int = st.selectbox(
        "Held out",
        [*range(folds), -1],
        format_func=lambda fold: (
            f"fold {fold + 1} of {folds}" if fold >= 0 else f"each fold, then a model on all ({folds + 1} runs)"
        ),
        key=f"train-fold-{folds}",
    )
    return fold


def _load_split(dataset: Dataset, name: str) -> Split:
    file = list_stored_splits(dataset)[name]
    return get_or_compute(("split", str(file), file.stat().st_mtime_ns), lambda: read_split(file))


def ask_groups(dataset: Dataset) -> str:
    """Ask how to tell which images show the same cell; return `groups` of a `SourceSpec`."""
    stored_groups, reviewed = read_stored_groups(dataset), find_reviewed_groups(dataset, load_settings())
    usable = stored_groups is not None and stored_groups.is_current
    ways = [*([STORED] if usable else []), *([reviewed] if reviewed else []), PIXELS, EACH]
    choice = st.selectbox(
        "Duplicate groups",
        ways,
        format_func=lambda way: _GROUP_WORDS.get(way, "cells of one image stay together, as in the batch"),
        key=f"train-groups-{dataset.id}-{usable}",
        help="Which images show the same cell. Such copies (rotated, mirrored, darker) stay together: none is held out "
        "while the model is trained on another.",
    )
    if choice == EACH:
        st.warning(
            "Choose this only if no image is a copy of another. Otherwise copies of one cell are in both the training and "
            "the held-out images, and the metrics are too high.",
            icon=":material/warning:",
        )
    elif choice == STORED and stored_groups is not None:
        st.caption(
            f"{format_count(len(stored_groups.sizes()), 'source cell')}, found {escape_md(stored_groups.method)}."
        )
    elif choice == reviewed:
        st.caption(
            "Cells of one image stay together, as recorded in the batch. Two images of one cell count as different cells."
        )
    elif stored_groups is not None and not stored_groups.is_current:
        st.caption("The images have changed since duplicates were found, so Bloodcell searches for them again first.")
    else:
        st.caption(
            "No duplicate groups are stored yet, so Bloodcell searches for duplicates first. This takes minutes for "
            "thousands of images, once."
        )
    return choice


def _ask_classes(dataset: Dataset) -> tuple[tuple[str, ...], Unlisted]:
    names = list_class_names(dataset)
    chosen = st.multiselect(
        "Classes", names, names, format_func=format_label, key=f"train-classes-{dataset.fingerprint}"
    )
    unlisted: Unlisted = "unknown"
    if 0 < len(chosen) < len(names):
        unlisted = st.radio(
            "Images of other classes",
            list(_OTHERS),
            format_func=_OTHERS.__getitem__,
            horizontal=True,
            key="train-unlisted",
        )
    return tuple(sorted(chosen)), unlisted
