"""Splits of a dataset: hold-out or folds that keep groups together, saved and exported as CSV."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.groups_and_splits import (
    list_stored_splits,
    read_stored_groups,
    remove_split,
    store_split,
)
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.splits.split import Split, split_holdout, split_into_folds
from bloodcell.datasets.splits.split_file import encode_split_csv, read_split
from bloodcell.plots.theme import format_label
from bloodcell.ui.datasets.dataset_images import load_table
from bloodcell.ui.shared.messages import escape_md, show_errors

_FOLDS, _HOLDOUT = "Folds", "Train and validation"
_NO_TEST, _RANDOM, _FOLDER = "none", "random", "folder"
_NEW_SPLIT_KEY = "datasets-split-made"
LEAKY_TEXT = "leaky: copies of one cell may be in both training and held-out images, so metrics are too high"


def show(dataset: Dataset) -> None:
    """Show the saved splits, and create or import one."""
    stored = list_stored_splits(dataset)
    if stored:
        choice_key = f"datasets-split-{dataset.id}"
        new_name, warnings = st.session_state.pop(_NEW_SPLIT_KEY, ("", ()))
        if new_name in stored:
            st.session_state[choice_key] = new_name
        name = st.selectbox("Saved splits", list(stored), key=choice_key)
        for warning in warnings:
            st.warning(escape_md(warning), icon=":material/warning:")
        with show_errors():
            _show_split(read_split(stored[name]), stored[name])
    with st.expander("Create a split", expanded=not stored), show_errors():
        _ask_split(dataset)
    with st.expander("Import a split"), show_errors():
        _import_split(dataset)


def _ask_split(dataset: Dataset) -> None:
    table = load_table(dataset)
    table = table.loc[table["problem"] == "", ["file", "label", "split"]]
    groups = read_stored_groups(dataset)
    leaky = groups is None
    if groups is None:
        st.warning(
            "This dataset has no duplicate groups yet. Find its duplicates or patients first, under Duplicates. A split "
            f"by single images would be {LEAKY_TEXT}.",
            icon=":material/warning:",
        )
        if not st.checkbox("Split by single images anyway", key="datasets-split-leaky"):
            return
    else:
        table = table.assign(group=table["file"].map(groups.group_of))
        table = table.dropna(subset=["group"])
    kind = st.segmented_control("Kind", [_FOLDS, _HOLDOUT], default=_FOLDS, required=True, key="datasets-split-kind")
    columns = st.columns(4)
    seed = int(columns[0].number_input("Seed", 0, 10**6, 0, key="datasets-split-seed"))
    tests = [name for name in dataset.splits if "test" in name.lower()]
    fixed = columns[1].selectbox(
        "Test set",
        [_NO_TEST, _RANDOM, *(f"{_FOLDER} {name}" for name in tests)],
        index=2 if tests else 0,
        key=f"datasets-split-test-{dataset.id}",
    )
    test_share, test_files = 0.0, set()
    if fixed == _RANDOM:
        test_share = columns[2].slider(
            "Size of the test set", 0.05, 0.5, 0.2, 0.05, format="percent", key="datasets-split-share"
        )
    elif fixed != _NO_TEST:
        test_files = set(table.loc[table["split"] == fixed.removeprefix(f"{_FOLDER} "), "file"])
    if kind == _FOLDS:
        n_folds = int(columns[3].number_input("Folds", 2, 20, 5, key="datasets-split-folds"))
        name = f"{n_folds} folds, seed {seed}"
    else:
        share = columns[3].slider(
            "Size of the validation set", 0.05, 0.5, 0.2, 0.05, format="percent", key="datasets-split-validation"
        )
        name = f"validation {share:.0%}, seed {seed}"
    if fixed != _NO_TEST:
        name += f", test {test_share:.0%}" if fixed == _RANDOM else f", {fixed}"
    name = st.text_input("Name", name, key=f"datasets-split-name-{name}", width=360)
    if not st.button("Create split", type="primary", icon=":material/call_split:", key="datasets-split-go"):
        return
    split = (
        split_into_folds(table, n_folds, seed, test_share, test_files, leaky)
        if kind == _FOLDS
        else split_holdout(table, share, seed, test_share, test_files, leaky)
    )
    st.session_state[_NEW_SPLIT_KEY] = (store_split(dataset, name, split).stem, split.warnings)
    st.rerun()


def _import_split(dataset: Dataset) -> None:
    uploaded = st.file_uploader(
        "CSV with the columns file, group, label, split", type="csv", key=f"datasets-split-file-{dataset.id}"
    )
    if uploaded is None or not st.button("Import", key="datasets-split-take"):
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        path.write_bytes(uploaded.getvalue())
        stored = store_split(dataset, uploaded.name.rsplit(".", 1)[0], read_split(path))
    st.session_state[_NEW_SPLIT_KEY] = (stored.stem, ())
    st.rerun()


def _show_split(split: Split, file: Path) -> None:
    if split.leaky:
        st.error(f"This split is {LEAKY_TEXT}.", icon=":material/warning:")
    images = pd.crosstab(split.table["split"], split.table["label"].map(format_label)).reindex(split.parts)
    images = images.rename_axis(index="Set", columns=None)
    images["All images"] = images.sum(axis=1)
    if not split.leaky:
        images["Groups"] = split.table.groupby("split")["group"].nunique()
    st.dataframe(images, key="datasets-split-table")
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Download split (CSV)",
            encode_split_csv(split),
            file.name,
            "text/csv",
            icon=":material/download:",
            key="datasets-split-csv",
            on_click="ignore",
        )
        if st.button("Delete split", icon=":material/delete:", key="datasets-split-forget"):
            remove_split(file)
            st.rerun()
