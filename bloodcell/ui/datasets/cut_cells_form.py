"""Ask which boxes of a folder to cut out as single cells, and register them as a dataset."""

from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.catalog.cut_cell_sets import register_box_cells
from bloodcell.datasets.catalog.library import MAX_NAME_CHARS
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.sources.contents import Contents
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.shared.progress import run_with_bar

CUT_LABEL = "Cutting out cells"


def ask_cells(path: Path, box_format: str) -> Dataset | None:
    """Show the labels of the boxes, each with the class that it becomes; return the dataset once it is registered.

    Raises
    ------
    BloodcellError
        If the annotations cannot be read, or the cells cannot be cut out.
    """
    names = _ask_names(path) if box_format == "YOLO" else ()
    with Contents(path) as contents:
        boxes = read_box_set(contents, names)
    st.caption(
        f"{format_count(len(boxes.images), 'image')} with {format_count(boxes.label_counts.total(), 'box', 'boxes')} "
        f"({boxes.kind}). Each cell becomes an image; an empty class leaves a label out."
    )
    counts = boxes.label_counts.most_common()
    edited = st.data_editor(
        pd.DataFrame({"Label": [label for label, _ in counts], "Boxes": [n for _, n in counts]}).assign(
            Class=lambda table: table["Label"]
        ),
        disabled=["Label", "Boxes"],
        hide_index=True,
        width=480,
        key=f"datasets-box-labels-{path}",
    )
    name = st.text_input(
        "Name", f"{path.stem} cells"[:MAX_NAME_CHARS], max_chars=MAX_NAME_CHARS, key=f"datasets-cells-{path}", width=360
    )
    mapping = {
        row.Label: row.Class.strip() for row in edited.itertuples(index=False) if row.Class and row.Class.strip()
    }
    if not st.button("Cut out and add", type="primary", icon=":material/content_cut:", key="datasets-cut"):
        return None
    dataset, problems = run_with_bar(
        CUT_LABEL,
        lambda on_progress, stop: register_box_cells(name, path, mapping, load_settings(), names, on_progress, stop),
    )
    if problems:
        first = problems[0]
        st.toast(
            f"{format_count(len(problems), 'annotation')} left out or changed, such as "
            f"{escape_md(first.file)}: {escape_md(first.reason)}",
            icon=":material/warning:",
            duration="long",
        )
    return dataset


def _ask_names(path: Path) -> tuple[str, ...]:
    """Ask for the classes of YOLO, which may be said by no file."""
    typed = st.text_input(
        "Classes 0, 1, 2 … of YOLO, where no file says them",
        key=f"datasets-yolo-{path}",
        placeholder="WBC, RBC, PLATELET",
        width=480,
    )
    return tuple(name.strip() for name in typed.split(",") if name.strip())
