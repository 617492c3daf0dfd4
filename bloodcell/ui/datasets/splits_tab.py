"""Splits of a dataset: hold-out or folds, closed over groups, kept and exported as CSV."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.groups_and_splits import (
    list_stored_splits,
    open_split,
    read_stored_groups,
    remove_split,
    store_split,
)
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.splits.split import Split, split_holdout, split_into_folds
from bloodcell.datasets.splits.split_file import encode_split_csv, read_split
from bloodcell.ui.datasets.dataset_images import load_table
from bloodcell.ui.shared.messages import escape_md, show_errors

_FOLDS, _HOLDOUT = "Folds", "Train and validation"
_NO_TEST, _DRAWN, _FOLDER = "none", "drawn at random", "the part"
_NEW_SPLIT_KEY = "datasets-split-made"
LEAKY_TEXT = "leaky: copies of one cell may lie on both sides, so figures from it are too good"


def show(dataset: Dataset) -> None:
    """Make a split, and show those that are kept."""
    stored = list_stored_splits(dataset)
    if stored:
        choice_key = f"datasets-split-{dataset.id}"
        made, warnings = st.session_state.pop(_NEW_SPLIT_KEY, ("", ()))
        if made in stored:
            st.session_state[choice_key] = made
        name = st.selectbox("Kept splits", list(stored), key=choice_key)
        for warning in warnings:
            st.warning(escape_md(warning), icon=":material/warning:")
        with show_errors():
            _show_split(open_split(stored[name]), stored[name])
    with st.expander("Make a split", expanded=not stored), show_errors():
        _ask_split(dataset)
    with st.expander("Take a split from a file"), show_errors():
        _import_split(dataset)


def _ask_split(dataset: Dataset) -> None:
    table = load_table(dataset)
    table = table.loc[table["problem"] == "", ["file", "label", "split"]]
    groups = read_stored_groups(dataset)
    leaky = groups is None
    if groups is None:
        st.warning(
            "The groups of this dataset are not known. Find its copies or patients first (Copies); a split of single "
            f"images would be {LEAKY_TEXT}.",
            icon=":material/warning:",
        )
        if not st.checkbox("Split single images all the same", key="datasets-split-leaky"):
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
        [_NO_TEST, _DRAWN, *(f"{_FOLDER} {name}" for name in tests)],
        index=2 if tests else 0,
        key=f"datasets-split-test-{dataset.id}",
    )
    test_share, test_files = 0.0, set()
    if fixed == _DRAWN:
        test_share = columns[2].slider(
            "Share of the test set", 0.05, 0.5, 0.2, 0.05, format="percent", key="datasets-split-share"
        )
    elif fixed != _NO_TEST:
        test_files = set(table.loc[table["split"] == fixed.removeprefix(f"{_FOLDER} "), "file"])
    if kind == _FOLDS:
        n_folds = int(columns[3].number_input("Folds", 2, 20, 5, key="datasets-split-folds"))
        name = f"{n_folds} folds, seed {seed}"
    else:
        share = columns[3].slider(
            "Share of validation", 0.05, 0.5, 0.2, 0.05, format="percent", key="datasets-split-validation"
        )
        name = f"validation {share:.0%}, seed {seed}"
    if fixed != _NO_TEST:
        name += f", test {test_share:.0%}" if fixed == _DRAWN else f", {fixed}"
    name = st.text_input("Name", name, key=f"datasets-split-name-{name}", width=360)
    if not st.button("Split", type="primary", icon=":material/call_split:", key="datasets-split-go"):
        return
    made = (
        split_into_folds(table, n_folds, seed, test_share, test_files, leaky)
        if kind == _FOLDS
        else split_holdout(table, share, seed, test_share, test_files, leaky)
    )
    st.session_state[_NEW_SPLIT_KEY] = (store_split(dataset, name, made).stem, made.warnings)
    st.rerun()


def _import_split(dataset: Dataset) -> None:
    uploaded = st.file_uploader(
        "CSV with the columns file, group, label, split", type="csv", key=f"datasets-split-file-{dataset.id}"
    )
    if uploaded is None or not st.button("Keep it", key="datasets-split-take"):
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
    images = pd.crosstab(split.table["split"], split.table["label"]).reindex(split.parts)
    images["all images"] = images.sum(axis=1)
    if not split.leaky:
        images["groups"] = split.table.groupby("split")["group"].nunique()
    st.dataframe(images, key="datasets-split-table")
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Split (CSV)",
            encode_split_csv(split),
            file.name,
            "text/csv",
            icon=":material/download:",
            key="datasets-split-csv",
            on_click="ignore",
        )
        if st.button("Forget this split", icon=":material/delete:", key="datasets-split-forget"):
            remove_split(file)
            st.rerun()
