"""What is in a dataset: classes, sizes, formats, a random grid of images, and problems with its files."""

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.exploration import iterate_example_images
from bloodcell.datasets.catalog.library import list_problems
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.duplicates import find_exact_duplicates
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.plots import dataset as charts
from bloodcell.plots.theme import format_label
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
    """Show counts, class balance, image sizes and formats."""
    table = load_table(dataset)
    n_mb = table["n_bytes"].sum() / 2**20
    tiles = {
        "Images": f"{dataset.n_images:,}",
        "Classes": f"{len(dataset.class_names):,}",
        "Splits": ", ".join(dataset.splits) or "none",
        "Unreadable": f"{dataset.n_unreadable:,}",
        "Exact duplicates": f"{_count_duplicates(table):,}",
        "Size on disk": f"{n_mb:,.0f} MB" if n_mb >= 1 else "under 1 MB",
    }
    for column, (label, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(label, value)
    st.plotly_chart(charts.plot_class_balance(table["label"].value_counts().to_dict()), key="datasets-balance")
    if dataset.splits:
        counts = pd.crosstab(table["split"], table["label"].map(format_label, na_action="ignore"))
        st.dataframe(counts.rename_axis(index="Split", columns=None), key="datasets-crosstab")
    left, right = st.columns(2)
    left.plotly_chart(charts.plot_image_sizes(table), key="datasets-sizes")
    right.plotly_chart(charts.plot_formats(table), key="datasets-formats")


def _count_duplicates(table: pd.DataFrame) -> int:
    hashes = table.loc[table["sha256"] != "", "sha256"]
    return int(hashes.duplicated().sum())


def show_images(dataset: Dataset) -> None:
    """Show a random grid of images per class, in colour or gray."""
    seed = int(st.session_state.get("datasets-grid-seed", 0))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        in_gray = st.toggle("Grayscale", key="datasets-grid-gray")
        if st.button("Reshuffle", icon=":material/shuffle:", key="datasets-grid-others"):
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
    """Show files that cannot be used or are doubtful, then exact duplicates, those with conflicting labels first."""
    problems = list_problems(dataset)
    st.subheader("Files with problems", anchor=False)
    if problems:
        st.dataframe(
            pd.DataFrame([(problem.file, problem.reason) for problem in problems], columns=["File", "Problem"]),
            hide_index=True,
            key="datasets-problems",
        )
    else:
        st.caption("None. Every file can be used.")
    st.subheader("Exact duplicates", anchor=False)
    duplicates = find_exact_duplicates(load_table(dataset))
    if not duplicates:
        st.caption("None. No two files are identical.")
        return
    n_conflicts = sum(group.has_conflict for group in duplicates)
    if n_conflicts:
        st.warning(
            f"{format_count(n_conflicts, 'image has', 'images have')} conflicting labels. "
            f"{'It is' if n_conflicts == 1 else 'They are'} listed first.",
            icon=":material/warning:",
        )
    rows = [
        (", ".join(group.files), ", ".join(map(format_label, group.labels)), "yes" if group.has_conflict else "")
        for group in duplicates
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Files", "Labels", "Conflicting labels"]), hide_index=True, key="datasets-doubles"
    )
