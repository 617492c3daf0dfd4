"""What is in a dataset: classes, sizes, formats, a random grid of pictures, and what is wrong."""

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.exploration import iterate_example_images
from bloodcell.datasets.catalog.library import list_problems
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.duplicates import find_exact_duplicates
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.plots import dataset as charts
from bloodcell.reports.numbers import format_count
from bloodcell.ui.datasets.dataset_images import (
    get_or_compute_with_spinner,
    list_usable_records,
    load_table,
    make_grid_image,
    open_source,
    show_class_heading,
)
from bloodcell.ui.shared.image_grid import show_image_grid

IMAGES_PER_CLASS = 8


def show(dataset: Dataset) -> None:
    """Counts, class balance, sizes and formats."""
    table = load_table(dataset)
    n_mb = table["n_bytes"].sum() / 2**20
    tiles = {
        "Images": f"{dataset.n_images:,}",
        "Classes": f"{len(dataset.class_names):,}",
        "Splits": ", ".join(dataset.splits) or "none",
        "Unreadable": f"{dataset.n_unreadable:,}",
        "Same bytes twice": f"{_count_duplicates(table):,}",
        "Size on disk": f"{n_mb:,.0f} MB" if n_mb >= 1 else "under 1 MB",
    }
    for column, (words, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(words, value)
    st.plotly_chart(charts.plot_class_balance(table["label"].value_counts().to_dict()), key="datasets-balance")
    if dataset.splits:
        st.dataframe(pd.crosstab(table["split"], table["label"]), key="datasets-crosstab")
    left, right = st.columns(2)
    left.plotly_chart(charts.plot_image_sizes(table), key="datasets-sizes")
    right.plotly_chart(charts.plot_formats(table), key="datasets-formats")


def _count_duplicates(table: pd.DataFrame) -> int:
    hashes = table.loc[table["sha256"] != "", "sha256"]
    return int(hashes.duplicated().sum())


def show_images(dataset: Dataset) -> None:
    """A random grid per class, in colour or gray."""
    seed = int(st.session_state.get("datasets-grid-seed", 0))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        in_gray = st.toggle("Gray", key="datasets-grid-gray")
        if st.button("Draw others", icon=":material/shuffle:", key="datasets-grid-others"):
            st.session_state["datasets-grid-seed"] = seed = seed + 1
    records = list_usable_records(dataset)

    def draw_rows() -> dict[str, list[tuple[str, str]]]:
        sample = sample_records(records, 2 * IMAGES_PER_CLASS * len(dataset.class_names), seed)
        rows: dict[str, list[tuple[str, str]]] = {}
        for record, rgb in iterate_example_images(open_source(dataset), sample, IMAGES_PER_CLASS):
            rows.setdefault(record.label, []).append(
                make_grid_image(rgb, record.file.rsplit("/", 1)[-1], in_gray=in_gray)
            )
        return rows

    counts = load_table(dataset)["label"].value_counts()
    for label, thumbnails in get_or_compute_with_spinner(
        (dataset.fingerprint, "grid", seed, in_gray), draw_rows
    ).items():
        show_class_heading(label, format_count(int(counts.get(label, 0)), "image"))
        show_image_grid(thumbnails, f"repeat({IMAGES_PER_CLASS}, minmax(0, 1fr))")


def show_problems(dataset: Dataset) -> None:
    """Files that cannot be used or are doubtful, and files of the same bytes, conflicting labels first."""
    problems = list_problems(dataset)
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
    duplicates = find_exact_duplicates(load_table(dataset))
    if not duplicates:
        st.caption("None: no two files have the same bytes.")
        return
    n_conflicts = sum(one.has_conflict for one in duplicates)
    if n_conflicts:
        st.warning(
            f"{format_count(n_conflicts, 'picture has', 'pictures have')} more than one label. Such files stand first.",
            icon=":material/warning:",
        )
    rows = [(", ".join(one.files), ", ".join(one.labels), "yes" if one.has_conflict else "") for one in duplicates]
    st.dataframe(pd.DataFrame(rows, columns=["Files", "Labels", "Two labels"]), hide_index=True, key="datasets-doubles")
