"""What is in a dataset: classes, sizes, formats, a random grid of pictures, and what is wrong."""

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.exploration import pictures_to_show
from bloodcell.datasets.catalog.library import problems_of
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.duplicates import exact_duplicates
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.plots import dataset as charts
from bloodcell.ui.datasets.dataset_images import (
    class_heading,
    figure_of,
    kept_pictures,
    source_of,
    table_of,
    usable_records,
)
from bloodcell.ui.shared.image_rows import show_figures
from bloodcell.ui.shared.text import counted

PER_CLASS = 8


def show(dataset: Dataset) -> None:
    """Counts, class balance, sizes and formats."""
    table = table_of(dataset)
    n_mb = table["n_bytes"].sum() / 2**20
    tiles = {
        "Images": f"{dataset.n_images:,}",
        "Classes": f"{len(dataset.class_names):,}",
        "Splits": ", ".join(dataset.splits) or "none",
        "Unreadable": f"{dataset.n_unreadable:,}",
        "Same bytes twice": f"{_n_doubles(table):,}",
        "Size on disk": f"{n_mb:,.0f} MB" if n_mb >= 1 else "under 1 MB",
    }
    for column, (words, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(words, value)
    st.plotly_chart(charts.class_balance(table["label"].value_counts().to_dict()), key="datasets-balance")
    if dataset.splits:
        st.dataframe(pd.crosstab(table["split"], table["label"]), key="datasets-crosstab")
    left, right = st.columns(2)
    left.plotly_chart(charts.image_sizes(table), key="datasets-sizes")
    right.plotly_chart(charts.formats(table), key="datasets-formats")


def _n_doubles(table: pd.DataFrame) -> int:
    known = table.loc[table["sha256"] != "", "sha256"]
    return int(known.duplicated().sum())


def show_pictures(dataset: Dataset) -> None:
    """A random grid per class, in colour or gray."""
    seed = int(st.session_state.get("datasets-grid-seed", 0))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        in_gray = st.toggle("Gray", key="datasets-grid-gray")
        if st.button("Draw others", icon=":material/shuffle:", key="datasets-grid-others"):
            st.session_state["datasets-grid-seed"] = seed = seed + 1
    records = usable_records(dataset)

    def drawn() -> dict[str, list[tuple[str, str]]]:
        sample = sample_records(records, 2 * PER_CLASS * len(dataset.class_names), seed)
        rows: dict[str, list[tuple[str, str]]] = {}
        for record, rgb in pictures_to_show(source_of(dataset), sample, PER_CLASS):
            rows.setdefault(record.label, []).append(figure_of(rgb, record.file.rsplit("/", 1)[-1], in_gray=in_gray))
        return rows

    counts = table_of(dataset)["label"].value_counts()
    for label, figures in kept_pictures((dataset.fingerprint, "grid", seed, in_gray), drawn).items():
        class_heading(label, counted(int(counts.get(label, 0)), "image"))
        show_figures(figures, f"repeat({PER_CLASS}, minmax(0, 1fr))")


def show_problems(dataset: Dataset) -> None:
    """Files that cannot be used or are doubtful, and files of the same bytes, conflicting labels first."""
    problems = problems_of(dataset)
    st.subheader("Files with a problem", anchor=False)
    if problems:
        st.dataframe(
            pd.DataFrame([(one.file, one.reason) for one in problems], columns=["File", "What is wrong"]),
            hide_index=True,
            key="datasets-problems",
        )
    else:
        st.caption("None: every file could be used.")
    st.subheader("Files of the same bytes", anchor=False)
    doubles = exact_duplicates(table_of(dataset))
    if not doubles:
        st.caption("None: no two files have the same bytes.")
        return
    n_conflicts = sum(one.has_conflict for one in doubles)
    if n_conflicts:
        st.warning(
            f"{counted(n_conflicts, 'picture has', 'pictures have')} more than one label. Such files stand first.",
            icon=":material/warning:",
        )
    rows = [(", ".join(one.files), ", ".join(one.labels), "yes" if one.has_conflict else "") for one in doubles]
    st.dataframe(pd.DataFrame(rows, columns=["Files", "Labels", "Two labels"]), hide_index=True, key="datasets-doubles")
