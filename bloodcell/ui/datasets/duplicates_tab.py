"""Duplicate groups of a dataset (source cells or patients), and the cells that two sets share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import StoredGroups, read_stored_groups, store_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.known_groups import group_by_name, preview_name_groups, read_column_groups
from bloodcell.datasets.copies.leak_report import LeakReport
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.labels.records import Record
from bloodcell.imaging.read import read_rgb
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.ui.datasets.dataset_images import list_usable_records, load_table, make_grid_image, open_source
from bloodcell.ui.shared.cache import get_cached, get_or_compute
from bloodcell.ui.shared.image_grid import show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.progress import run_with_bar

_PIXELS, _NAMES, _TABLE = "Compare the images", "Use the file names", "Use a table (CSV)"
S_PER_IMAGE = 0.03  # on two cores
LARGEST_SHOWN, MEMBERS_SHOWN, PAIRS_SHOWN = 6, 8, 24
WHY = (
    "Many public datasets show the same cell dozens of times: rotated, flipped, or with other lighting. If copies of "
    "one cell are in both the training and the test set, the model is tested on cells that it was trained on, and its "
    "accuracy says nothing. Here copies are put into one group, and splits keep groups together."
)


def show(dataset: Dataset) -> None:
    """Find duplicate groups, show them, and report which cells two sets share."""
    st.caption(WHY)
    groups = read_stored_groups(dataset)
    if groups is not None:
        _show_groups(dataset, groups)
    with st.expander(
        "Find duplicate groups" if groups is None else "Find duplicate groups again", expanded=groups is None
    ):
        _ask_groups(dataset)
    st.subheader("Cells shared between sets", anchor=False)
    _ask_leaks(dataset)


def _show_groups(dataset: Dataset, groups: StoredGroups) -> None:
    if not groups.is_current:
        st.warning("The images have changed since these groups were found. Find them again.", icon=":material/sync:")
    sizes = groups.sizes()
    table = load_table(dataset).assign(group=lambda rows: rows["file"].map(groups.group_of))
    labels = table.dropna(subset=["group"]).groupby("group")["label"].nunique()
    tiles = {
        "Groups": f"{len(sizes):,}",
        "Images in groups": f"{int(sizes.sum()):,}",
        "Largest group": f"{int(sizes.max()):,}",
        "Groups of one image": f"{int((sizes == 1).sum()):,}",
        "Groups with mixed labels": f"{int((labels > 1).sum()):,}",
    }
    for column, (label, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(label, value)
    st.caption(f"Found {escape_md(groups.method)}.")
    grouped = table.dropna(subset=["group"])
    per_class = grouped.groupby("label").agg(Groups=("group", "nunique"), Images=("file", "size"))
    st.dataframe(per_class.rename(index=format_label).rename_axis("Class"), key="datasets-groups-classes")
    shared = [str(group) for group in sizes.index[sizes > 1]]
    if not shared:
        st.caption("No image has a copy: every group has one image.")
        return
    images = open_source(dataset)
    mixed = [str(group) for group in labels.index[labels > 1]]
    to_show = [*mixed[:3], *[name for name in shared if name not in mixed]][:LARGEST_SHOWN]
    st.caption(
        f"Showing {len(to_show)} of {format_count(len(shared), 'group')} with two or more images, mixed labels first."
    )
    for group in to_show:
        rows = table[table["group"] == group]
        names = ", ".join(format_label(label) for label in sorted(rows["label"].unique()))
        st.markdown(f"**{format_count(len(rows), 'image')}** · {escape_md(names)}")
        with show_errors():
            thumbnails = [
                make_grid_image(read_rgb(images.read(file)), file.rsplit("/", 1)[-1])
                for file in rows["file"][:MEMBERS_SHOWN]
            ]
            show_image_grid(thumbnails, f"repeat({MEMBERS_SHOWN}, minmax(0, 1fr))")


def _ask_groups(dataset: Dataset) -> None:
    method = st.radio("Method", [_PIXELS, _NAMES, _TABLE], horizontal=True, key="datasets-groups-how")
    files = [record.file for record in list_usable_records(dataset)]
    with show_errors():
        if method == _PIXELS:
            st.caption(
                f"Comparing {format_count(len(files), 'image')} takes {_describe_duration(len(files))}. Leave this page open "
                "until it is done."
            )
            if st.button("Find duplicates", type="primary", icon=":material/search:", key="datasets-find-copies"):
                store_groups(dataset, _find_pixel_groups(dataset), "by comparing the images")
                st.rerun()
        elif method == _NAMES:
            _ask_name_groups(dataset, files)
        else:
            table = dataset.choice.table
            label_csv = "" if dataset.is_zip or table is None else str(dataset.path / table.csv)
            path = st.text_input("CSV on this computer", label_csv, key=f"datasets-groups-csv-{dataset.id}")
            column = st.text_input("Column with the groups", key="datasets-groups-column", placeholder="patient")
            if path and column and st.button("Use these groups", key="datasets-take-csv"):
                groups = read_column_groups(Path(path.strip()), column.strip(), files)
                store_groups(dataset, groups, f"in the column {column} of {Path(path).name}")
                st.rerun()


def _ask_name_groups(dataset: Dataset, files: list[str]) -> None:
    pattern = st.text_input(
        "Pattern: the part in round brackets is the group",
        value=r"C(\d+)",
        key="datasets-pattern",
        help=r"A regular expression. C(\d+)P gives the group 33 for C33P1thinF_IMG_1.png.",
    )
    preview = preview_name_groups(pattern, files)
    st.caption(
        f"{format_count(len(preview.sizes), 'group')}; {format_count(len(preview.group_of), 'file')} match, "
        f"{len(preview.unmatched):,} do not."
    )
    left, right = st.columns(2)
    left.dataframe(
        pd.DataFrame(preview.pick_examples(), columns=["File", "Group"]), hide_index=True, key="datasets-examples"
    )
    sizes = pd.DataFrame(list(preview.sizes.items())[:100], columns=["Group", "Files"])
    right.dataframe(sizes, hide_index=True, key="datasets-name-sizes")
    if preview.unmatched:
        st.warning(
            f"The pattern does not match all files, for example {escape_md(preview.unmatched[0])}.",
            icon=":material/rule:",
        )
    if st.button(
        "Use these groups", key="datasets-take-names", disabled=bool(preview.unmatched) or not preview.group_of
    ):
        store_groups(dataset, group_by_name(pattern, files), f"in the file names, by the pattern {pattern}")
        st.rerun()


def _find_pixel_groups(dataset: Dataset) -> dict[str, str]:
    records, images = list_usable_records(dataset), open_source(dataset)

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> dict[str, str]:
        grouping = group_images(
            lambda row: read_rgb(images.read(records[row].file)),
            len(records),
            on_progress,
            should_stop=should_stop,
            on_problem=lambda *_: None,  # such an image stays a group of its own
        )
        return {record.file: str(group) for record, group in zip(records, grouping.groups, strict=True)}

    return run_with_bar("Comparing images", work)


def _describe_duration(n_images: int) -> str:
    seconds = n_images * S_PER_IMAGE
    return "less than a minute" if seconds < 60 else f"about {format_count(round(seconds / 60), 'minute')}"


def _ask_leaks(dataset: Dataset) -> None:
    others = [other for other in list_datasets(load_settings()) if other.id != dataset.id]
    choices: dict[str, Callable[[], list[ImageSet]]] = {}
    if len(dataset.splits) > 1:
        choices[f"the sets {', '.join(dataset.splits)} of this dataset"] = partial(_list_split_sets, dataset)
    for other in others:
        choices[f"this dataset and {other.name}"] = partial(_pair_image_sets, dataset, other)
    if not choices:
        st.caption("To compare sets here, register a second dataset or one with train and test folders.")
        return
    chosen = st.selectbox("Compare", list(choices), key=f"datasets-leaks-{dataset.id}")
    key = (dataset.fingerprint, "leaks", chosen, *(other.fingerprint for other in others))
    if st.button("Find shared cells", icon=":material/compare:", key="datasets-leaks-go"):
        with show_errors():
            get_or_compute(key, lambda: run_with_bar("Finding shared cells", partial(find_leaks, choices[chosen]())))
    report = get_cached(key)
    if report is not None:
        _show_report(report, choices[chosen]())


def _make_image_set(dataset: Dataset) -> ImageSet:
    return ImageSet(dataset.name, open_source(dataset), list_usable_records(dataset))


def _pair_image_sets(dataset: Dataset, other: Dataset) -> list[ImageSet]:
    return [_make_image_set(dataset), _make_image_set(other)]


def _list_split_sets(dataset: Dataset) -> list[ImageSet]:
    table = load_table(dataset)
    usable = table[table["problem"] == ""]
    images = open_source(dataset)
    return [
        ImageSet(name, images, [Record(*row) for row in rows[["file", "label"]].itertuples(index=False, name=None)])
        for name, rows in sorted(usable.groupby("split"), key=lambda part: ("test" in part[0].lower(), part[0]))
        if name
    ]


def _show_report(report: LeakReport, sets: list[ImageSet]) -> None:
    for counts in report.shared_counts:
        share = counts.images_shared / max(1, counts.images)
        st.markdown(
            f"**{escape_md(counts.name)}**: {counts.images_shared:,} of {format_count(counts.images, 'image')} ({share:.1%}) "
            f"show a cell that is also in the other set: {counts.source_cells_shared} of "
            f"{format_count(counts.source_cells, 'source cell')}."
        )
    pairs = report.pick_clearest_pairs()
    if not pairs:
        st.success("No shared cells found.", icon=":material/check:")
        return
    st.download_button(
        "Download all pairs (CSV)",
        report.encode_csv(),
        "shared_cells.csv",
        "text/csv",
        key="datasets-leaks-csv",
        on_click="ignore",
    )
    for first in range(0, min(len(pairs), PAIRS_SHOWN), 4):
        thumbnails = []
        for pair in pairs[first : first + 4]:
            for index in (pair.a, pair.b):
                record, image_set = report.records[index], sets[int(report.set_of[index])]
                try:
                    rgb = read_rgb(image_set.source.read(record.file))
                except BloodcellError:
                    continue
                name = record.file.rsplit("/", 1)[-1]
                thumbnails.append(make_grid_image(rgb, f"{image_set.name}: {format_label(record.label)}, {name}"))
        show_image_grid(thumbnails, "repeat(8, minmax(0, 1fr))")
    if len(pairs) > PAIRS_SHOWN:
        st.caption(f"Showing {PAIRS_SHOWN} of {len(pairs):,} shared cells, one pair each.")
