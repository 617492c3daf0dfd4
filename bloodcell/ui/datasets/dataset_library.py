"""The shelf of datasets: choosing one, adding one from a folder or zip, renaming, refreshing and removing it."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.changes import CHANGED, MISSING, check_dataset_state
from bloodcell.datasets.catalog.library import (
    MAX_NAME_CHARS,
    list_datasets,
    register_dataset,
    remove_dataset,
    rename_dataset,
    rescan_dataset,
)
from bloodcell.datasets.catalog.registration import DESCRIPTION, Dataset
from bloodcell.datasets.labels.layouts import FOLDERS, TABLE, LayoutChoice
from bloodcell.datasets.labels.recognition import Recognition, recognise_layout
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors
from bloodcell.ui.shared.progress import run_with_bar

CHOICE_KEY = "datasets-choice"
SCAN_LABEL = "Looking at every image"
_ADDED_KEY = "datasets-added"
_SHOWN_KEY = "datasets-shown"
_OTHER_PATH = "Another folder or zip on this computer"


def choose() -> Dataset | None:
    """Show the shelf and ask for one dataset; None while there is none."""
    datasets = list_datasets(load_settings())
    if not datasets:
        st.info(
            "No dataset is registered yet. Add a folder of labelled images: it stays where it is, and Bloodcell "
            "keeps what it finds in it.",
            icon=":material/folder_open:",
        )
        return None
    by_id = {one.id: one for one in datasets}
    added = st.session_state.pop(_ADDED_KEY, None)
    if added in by_id:
        st.session_state[CHOICE_KEY] = added
    chosen = st.selectbox(
        "Dataset",
        list(by_id),
        format_func=lambda one: by_id[one].name,
        key=CHOICE_KEY,
        bind="query-params",
    )
    return by_id.get(chosen)


def add(*, is_first: bool) -> None:
    """Ask for a folder or zip, say how it will be read, and register it."""
    with st.expander("Add a dataset", expanded=is_first, icon=":material/add:"):
        path = _ask_path()
        if path is None:
            return
        with show_errors():
            recognition = recognise_layout(path)
            choice = _ask_layout(recognition)
            name = st.text_input(
                "Name", value=path.stem, max_chars=MAX_NAME_CHARS, key=f"datasets-name-{path}", width=360
            )
            if choice is not None and st.button("Add", type="primary", icon=":material/add:", key="datasets-add"):
                dataset = run_with_bar(
                    SCAN_LABEL,
                    lambda on_progress, stop: register_dataset(name, path, choice, load_settings(), on_progress, stop),
                )
                st.session_state[_ADDED_KEY] = dataset.id
                st.rerun()


def _ask_path() -> Path | None:
    here = [str(path) for path in _list_downloaded()]
    chosen = _OTHER_PATH
    if here:
        chosen = st.selectbox(
            "Where the images are", [*here, _OTHER_PATH], format_func=_shorten_path, key="datasets-downloaded"
        )
    if chosen != _OTHER_PATH:
        return Path(chosen)
    typed = st.text_input(
        "Folder or zip on this computer",
        key="datasets-path",
        placeholder="/home/ada/smears or C:\\smears\\march.zip",
        help="A folder with a folder of images per class, with or without train and test folders around them; or "
        "images with a CSV of labels; or a zip of either. The images are not copied.",
    )
    return Path(typed.strip().strip('"')).expanduser() if typed.strip() else None


def _list_downloaded() -> list[Path]:
    """Public sets that were fetched into the workspace and are not registered yet."""
    settings = load_settings()
    registered = {one.path.resolve() for one in list_datasets(settings)}
    if not settings.datasets_dir.is_dir():
        return []
    folders = [path for path in sorted(settings.datasets_dir.iterdir()) if path.is_dir()]
    return [
        path
        for path in folders
        if not path.name.startswith(".") and not (path / DESCRIPTION).exists() and path.resolve() not in registered
    ]


def _shorten_path(path: str) -> str:
    return path if path == _OTHER_PATH else Path(path).name


def _ask_layout(recognition: Recognition) -> LayoutChoice | None:
    """Show how the folder will be read; ask where several readings make sense."""
    if recognition.choice is not None:
        st.caption(
            f"{format_count(recognition.n_images, 'picture')} found. {_describe_layout(recognition, recognition.choice)}"
        )
        return recognition.choice
    st.warning(escape_md(recognition.question), icon=":material/help:")
    readings: dict[str, LayoutChoice | None] = {}
    for level in recognition.levels:
        names = ", ".join(level.names[:4]) + (" …" if len(level.names) > 4 else "")
        readings[f"Folders are the classes: {names}"] = LayoutChoice(FOLDERS, level.level)
    for table in recognition.tables:
        readings[f"Table of labels: {table.csv}"] = None
    if not readings:
        return None
    chosen = st.radio("How is it meant?", list(readings), index=None, key=f"datasets-reading-{recognition.path}")
    if chosen is None:
        return None
    if readings[chosen] is not None:
        return readings[chosen]
    return _ask_table(recognition, chosen.removeprefix("Table of labels: "))


def _ask_table(recognition: Recognition, csv: str) -> LayoutChoice:
    table = next(one for one in recognition.tables if one.csv == csv)
    left, middle, right = st.columns(3)
    file_column = left.selectbox(
        "Column of file names", table.file_columns or table.columns, key=f"datasets-file-column-{csv}"
    )
    label_column = middle.selectbox(
        "Column of labels", table.label_columns or table.columns, key=f"datasets-label-column-{csv}"
    )
    suffix = ""
    if table.suffixes:
        suffix = right.selectbox("Pictures end in", table.suffixes, key=f"datasets-suffix-{csv}")
    return LayoutChoice(TABLE, table=TableChoice(csv, file_column, label_column, table.split_column, suffix))


def _describe_layout(recognition: Recognition, choice: LayoutChoice) -> str:
    if choice.table is not None:
        columns = f"{choice.table.file_column} and {choice.table.label_column}"
        return f"The labels stand in {escape_md(choice.table.csv)}, columns {escape_md(columns)}."
    names = next((level.names for level in recognition.levels if level.level == choice.level), ())
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"Folders are the classes: {escape_md(shown)}."


def show_header(dataset: Dataset) -> None:
    """Say where the opened dataset lies and whether it has changed; offer to refresh, rename and remove it."""
    state = check_dataset_state(dataset)
    if state.kind == MISSING:
        st.error(escape_md(state.message), icon=":material/error:")
    elif state.kind == CHANGED:
        st.warning(escape_md(state.message), icon=":material/sync_problem:")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{format_count(dataset.n_images, 'image')}, {format_count(len(dataset.class_names), 'class', 'classes')} · "
            f"{escape_md(str(dataset.path))} · looked at {format_local_time(dataset.scanned_at)}"
        )
        if st.button("Look again", icon=":material/refresh:", key="datasets-refresh", disabled=state.kind == MISSING):
            with show_errors():
                run_with_bar(SCAN_LABEL, lambda on_progress, stop: rescan_dataset(dataset, on_progress, stop))
                st.rerun()
        with st.popover("Rename or remove", icon=":material/edit:"):
            name = st.text_input("Name", dataset.name, max_chars=MAX_NAME_CHARS, key=f"datasets-rename-{dataset.id}")
            if st.button("Rename", key="datasets-do-rename", disabled=name.strip() == dataset.name):
                with show_errors():
                    rename_dataset(dataset, name, load_settings())
                    st.rerun()
            st.caption("Removing forgets what Bloodcell found, groups and splits included. The images stay.")
            if st.button("Remove from Bloodcell", icon=":material/delete:", key="datasets-remove"):
                with show_errors():
                    remove_dataset(dataset)
                    st.rerun()


def clear_for_view(dataset: Dataset, view: str) -> DeltaGenerator:
    """Return the place for a view, empty at once where the run before showed another view or dataset.

    Streamlit leaves on the screen what a run has not yet drawn anew, so the old view would stand there for as long as
    the new one is computed. An `st.empty` that is filled at once is merged with its content before it is sent and
    clears nothing, so each new view takes the other of two places. Runs of one view keep theirs, and nothing flickers.
    """
    shown = (dataset.fingerprint, view)
    before, place = st.session_state.get(_SHOWN_KEY, (shown, 0))
    place = place if before == shown else 1 - place
    st.session_state[_SHOWN_KEY] = (shown, place)
    return (st.empty(), st.empty())[place].container()
