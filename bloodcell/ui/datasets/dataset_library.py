"""The dataset library: choose a dataset, add one from a folder or zip, rename, rescan and remove it."""

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
from bloodcell.ui.datasets.cut_cells_form import ask_cells
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors
from bloodcell.ui.shared.progress import run_with_bar

CHOICE_KEY = "datasets-choice"
SCAN_LABEL = "Scanning images"
_ADDED_KEY = "datasets-added"
_SHOWN_KEY = "datasets-shown"
_OTHER_PATH = "Another folder or zip on this computer"
_BY_FOLDER, _BY_TABLE = "Folder names: ", "Label table: "


def choose_dataset() -> Dataset | None:
    """Ask for one dataset of the library; None while there is none."""
    datasets = list_datasets(load_settings())
    if not datasets:
        st.info(
            "No dataset is registered yet. Add a folder of labelled images. The images stay where they are; Bloodcell "
            "stores only what it finds out about them.",
            icon=":material/folder_open:",
        )
        return None
    by_id = {dataset.id: dataset for dataset in datasets}
    added = st.session_state.pop(_ADDED_KEY, None)
    if added in by_id:
        st.session_state[CHOICE_KEY] = added
    chosen = st.selectbox(
        "Dataset",
        list(by_id),
        format_func=lambda dataset_id: by_id[dataset_id].name,
        key=CHOICE_KEY,
        bind="query-params",
    )
    return by_id.get(chosen)


def add_dataset(*, is_first: bool) -> None:
    """Ask for a folder or zip, say how its labels are read, and register it."""
    with st.expander("Add a dataset", expanded=is_first, icon=":material/add:"):
        path = _ask_path()
        if path is None:
            return
        with show_errors():
            recognition = recognise_layout(path)
            if recognition.has_boxes:
                cells = ask_cells(path, recognition.box_format)
                if cells is not None:
                    st.session_state[_ADDED_KEY] = cells.id
                    st.rerun()
                return
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
        "images with a CSV of labels; or images with boxes (Pascal VOC, COCO, YOLO); or a zip of one of these. The images "
        "are not copied.",
    )
    return Path(typed.strip().strip('"')).expanduser() if typed.strip() else None


def _list_downloaded() -> list[Path]:
    """Public datasets that were downloaded into the workspace and are not registered yet."""
    settings = load_settings()
    registered = {dataset.path.resolve() for dataset in list_datasets(settings)}
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
    """Say how the labels are read; ask where there are several ways to read them."""
    if recognition.choice is not None:
        st.caption(
            f"{format_count(recognition.n_images, 'image')} found. {_describe_layout(recognition, recognition.choice)}"
        )
        return recognition.choice
    st.warning(escape_md(recognition.question), icon=":material/help:")
    readings: dict[str, LayoutChoice | None] = {}
    for level in recognition.levels:
        names = ", ".join(level.names[:4]) + (" …" if len(level.names) > 4 else "")
        readings[f"{_BY_FOLDER}{names}"] = LayoutChoice(FOLDERS, level.level)
    for table in recognition.tables:
        readings[f"{_BY_TABLE}{table.csv}"] = None
    if not readings:
        return None
    chosen = st.radio("Where are the labels?", list(readings), index=None, key=f"datasets-reading-{recognition.path}")
    if chosen is None:
        return None
    if readings[chosen] is not None:
        return readings[chosen]
    return _ask_table(recognition, chosen.removeprefix(_BY_TABLE))


def _ask_table(recognition: Recognition, csv: str) -> LayoutChoice:
    table = next(option for option in recognition.tables if option.csv == csv)
    left, middle, right = st.columns(3)
    file_column = left.selectbox(
        "Column with file names", table.file_columns or table.columns, key=f"datasets-file-column-{csv}"
    )
    label_column = middle.selectbox(
        "Column with labels", table.label_columns or table.columns, key=f"datasets-label-column-{csv}"
    )
    suffix = ""
    if table.suffixes:
        suffix = right.selectbox("Image file ending", table.suffixes, key=f"datasets-suffix-{csv}")
    return LayoutChoice(TABLE, table=TableChoice(csv, file_column, label_column, table.split_column, suffix))


def _describe_layout(recognition: Recognition, choice: LayoutChoice) -> str:
    if choice.table is not None:
        columns = f"{choice.table.file_column} and {choice.table.label_column}"
        return f"Labels come from {escape_md(choice.table.csv)}, columns {escape_md(columns)}."
    names = next((level.names for level in recognition.levels if level.level == choice.level), ())
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"Labels come from the folder names: {escape_md(shown)}."


def show_header(dataset: Dataset) -> None:
    """Say where the open dataset is and whether it has changed; offer to rescan, rename and remove it."""
    state = check_dataset_state(dataset)
    if state.kind == MISSING:
        st.error(escape_md(state.message), icon=":material/error:")
    elif state.kind == CHANGED:
        st.warning(escape_md(state.message), icon=":material/sync_problem:")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{format_count(dataset.n_images, 'image')}, {format_count(len(dataset.class_names), 'class', 'classes')} · "
            f"{escape_md(str(dataset.path))} · scanned {format_local_time(dataset.scanned_at)}"
        )
        if st.button("Rescan", icon=":material/refresh:", key="datasets-refresh", disabled=state.kind == MISSING):
            with show_errors():
                run_with_bar(SCAN_LABEL, lambda on_progress, stop: rescan_dataset(dataset, on_progress, stop))
                st.rerun()
        with st.popover("Rename or remove", icon=":material/edit:"):
            name = st.text_input("Name", dataset.name, max_chars=MAX_NAME_CHARS, key=f"datasets-rename-{dataset.id}")
            if st.button("Rename", key="datasets-do-rename", disabled=name.strip() == dataset.name):
                with show_errors():
                    rename_dataset(dataset, name, load_settings())
                    st.rerun()
            st.caption(
                "Removing deletes what Bloodcell stored about the dataset, including groups and splits. The images stay."
            )
            if st.button("Remove from Bloodcell", icon=":material/delete:", key="datasets-remove"):
                with show_errors():
                    remove_dataset(dataset)
                    st.rerun()


def clear_for_view(dataset: Dataset, view: str) -> DeltaGenerator:
    """Return the container for a view, cleared at once where the run before showed another view or dataset.

    Streamlit keeps on the screen what a run has not yet redrawn, so the old view would stay there for as long as the
    new one is computed. An `st.empty` that is filled at once is merged with its content before it is sent and clears
    nothing, so each new view takes the other of two containers. Runs of one view keep theirs, and nothing flickers.
    """
    shown = (dataset.fingerprint, view)
    before, place = st.session_state.get(_SHOWN_KEY, (shown, 0))
    place = place if before == shown else 1 - place
    st.session_state[_SHOWN_KEY] = (shown, place)
    return (st.empty(), st.empty())[place].container()
