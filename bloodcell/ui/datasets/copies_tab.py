"""Source cells and patients of a dataset, and what two sets share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import StoredGroups, read_stored_groups, store_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.leak_report import LeakReport
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.copies.name_groups import group_by_name, preview_name_groups, read_column_groups
from bloodcell.datasets.labels.records import Record
from bloodcell.imaging.read import read_rgb
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_count
from bloodcell.ui.datasets.dataset_images import list_usable_records, load_table, make_grid_image, open_source
from bloodcell.ui.shared.cache import get_cached, get_or_compute
from bloodcell.ui.shared.image_grid import show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors
from bloodcell.ui.shared.progress import OnProgress, ShouldStop, run_with_bar

_PIXELS, _NAMES, _TABLE = "From the pictures", "From the file names", "From a table (CSV)"
S_PER_IMAGE = 0.03  # on two cores
LARGEST_SHOWN, MEMBERS_SHOWN, PAIRS_SHOWN = 6, 8, 24
WHY = (
    "Many public sets hold the same cell dozens of times: turned, flipped, re-lit. If copies of one cell lie both in "
    "the training and in the test set, a model is asked what it has learned by heart, and its accuracy says nothing. "
    "So copies are put into one group here, and splits keep groups whole."
)


def show(dataset: Dataset) -> None:
    """Find groups, look at them, and report what parts or two datasets share."""
    st.caption(WHY)
    groups = read_stored_groups(dataset)
    if groups is not None:
        _show_groups(dataset, groups)
    with st.expander("Find the groups" if groups is None else "Find the groups anew", expanded=groups is None):
        _ask_groups(dataset)
    st.subheader("What two sets share", anchor=False)
    _ask_leaks(dataset)


def _show_groups(dataset: Dataset, groups: StoredGroups) -> None:
    if not groups.is_current:
        st.warning("The images have changed since these groups were found: find them anew.", icon=":material/sync:")
    sizes = groups.sizes()
    table = load_table(dataset).assign(group=lambda rows: rows["file"].map(groups.group_of))
    labels = table.dropna(subset=["group"]).groupby("group")["label"].nunique()
    tiles = {
        "Groups": f"{len(sizes):,}",
        "Images in groups": f"{int(sizes.sum()):,}",
        "Largest group": f"{int(sizes.max()):,}",
        "Groups of one image": f"{int((sizes == 1).sum()):,}",
        "Groups with two labels": f"{int((labels > 1).sum()):,}",
    }
    for column, (words, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(words, value)
    st.caption(f"Found {escape_md(groups.how)}.")
    grouped = table.dropna(subset=["group"])
    per_class = grouped.groupby("label").agg(Groups=("group", "nunique"), Images=("file", "size"))
    st.dataframe(per_class.rename(index=format_label).rename_axis("Class"), key="datasets-groups-classes")
    shared = [str(group) for group in sizes.index[sizes > 1]]
    if not shared:
        st.caption("Every image is a group of its own.")
        return
    images = open_source(dataset)
    mixed = [str(group) for group in labels.index[labels > 1]]
    to_show = [*mixed[:3], *[name for name in shared if name not in mixed]][:LARGEST_SHOWN]
    st.caption(f"{len(to_show)} of {format_count(len(shared), 'group')} of two or more images, mixed labels first.")
    for group in to_show:
        rows = table[table["group"] == group]
        words = ", ".join(format_label(label) for label in sorted(rows["label"].unique()))
        st.markdown(f"**{format_count(len(rows), 'image')}** · {escape_md(words)}")
        with show_errors():
            thumbnails = [
                make_grid_image(read_rgb(images.read(file)), file.rsplit("/", 1)[-1])
                for file in rows["file"][:MEMBERS_SHOWN]
            ]
            show_image_grid(thumbnails, f"repeat({MEMBERS_SHOWN}, minmax(0, 1fr))")


def _ask_groups(dataset: Dataset) -> None:
    how = st.radio("How", [_PIXELS, _NAMES, _TABLE], horizontal=True, key="datasets-groups-how")
    files = [record.file for record in list_usable_records(dataset)]
    with show_errors():
        if how == _PIXELS:
            st.caption(
                f"{format_count(len(files), 'image')}: this takes {_describe_duration(len(files))}. Leave the page open until it is done."
            )
            if st.button("Find copies", type="primary", icon=":material/search:", key="datasets-find-copies"):
                store_groups(dataset, _find_pixel_groups(dataset), "from the pictures")
                st.rerun()
        elif how == _NAMES:
            _ask_name_groups(dataset, files)
        else:
            table = dataset.choice.table
            labels = "" if dataset.is_zip or table is None else str(dataset.path / table.csv)
            path = st.text_input("CSV on this computer", labels, key=f"datasets-groups-csv-{dataset.id}")
            column = st.text_input("Its column of groups", key="datasets-groups-column", placeholder="patient")
            if path and column and st.button("Take these groups", key="datasets-take-csv"):
                groups = read_column_groups(Path(path.strip()), column.strip(), files)
                store_groups(dataset, groups, f"in the column {column} of {Path(path).name}")
                st.rerun()


def _ask_name_groups(dataset: Dataset, files: list[str]) -> None:
    pattern = st.text_input(
        "Pattern: what its round brackets hold is the group",
        value=r"C(\d+)",
        key="datasets-pattern",
        help=r"A regular expression. C(\d+)P takes 33 from C33P1thinF_IMG_1.png.",
    )
    preview = preview_name_groups(pattern, files)
    st.caption(
        f"{format_count(len(preview.sizes), 'group')}; {format_count(len(preview.group_of), 'file')} match, "
        f"{len(preview.unmatched):,} do not."
    )
    left, right = st.columns(2)
    left.dataframe(
        pd.DataFrame(preview.examples(), columns=["File", "Group"]), hide_index=True, key="datasets-examples"
    )
    sizes = pd.DataFrame(list(preview.sizes.items())[:100], columns=["Group", "Files"])
    right.dataframe(sizes, hide_index=True, key="datasets-name-sizes")
    if preview.unmatched:
        st.warning(f"It does not match {escape_md(preview.unmatched[0])}, for one.", icon=":material/rule:")
    if st.button(
        "Take these groups", key="datasets-take-names", disabled=bool(preview.unmatched) or not preview.group_of
    ):
        store_groups(dataset, group_by_name(pattern, files), f"in the names by the pattern {pattern}")
        st.rerun()


def _find_pixel_groups(dataset: Dataset) -> dict[str, str]:
    records, images = list_usable_records(dataset), open_source(dataset)

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> dict[str, str]:
        grouping = group_images(
            lambda row: read_rgb(images.read(records[row].file)),
            len(records),
            on_progress,
            should_stop=should_stop,
            on_problem=lambda row, error: None,  # such an image stays a group of its own
        )
        return {record.file: str(group) for record, group in zip(records, grouping.groups, strict=True)}

    return run_with_bar("Comparing pictures", work)


def _describe_duration(n_images: int) -> str:
    seconds = n_images * S_PER_IMAGE
    return "less than a minute" if seconds < 60 else f"about {format_count(round(seconds / 60), 'minute')}"


def _ask_leaks(dataset: Dataset) -> None:
    others = [one for one in list_datasets(load_settings()) if one.id != dataset.id]
    choices: dict[str, Callable[[], list[ImageSet]]] = {}
    if len(dataset.splits) > 1:
        choices[f"the parts {', '.join(dataset.splits)} of this dataset"] = partial(_list_split_sets, dataset)
    for other in others:
        choices[f"this dataset and {other.name}"] = partial(_pair_image_sets, dataset, other)
    if not choices:
        st.caption("Register a second dataset, or one with train and test folders, to compare them here.")
        return
    chosen = st.selectbox("Compare", list(choices), key=f"datasets-leaks-{dataset.id}")
    key = (dataset.fingerprint, "leaks", chosen, *(one.fingerprint for one in others))
    if st.button("Look for shared cells", icon=":material/compare:", key="datasets-leaks-go"):
        with show_errors():
            get_or_compute(
                key, lambda: run_with_bar("Looking for shared cells", partial(find_leaks, choices[chosen]()))
            )
    report = get_cached(key)
    if report is not None:
        _show_report(report, choices[chosen]())


def _make_image_set(dataset: Dataset) -> ImageSet:
    return ImageSet(dataset.name, open_source(dataset), list_usable_records(dataset))


def _pair_image_sets(one: Dataset, other: Dataset) -> list[ImageSet]:
    return [_make_image_set(one), _make_image_set(other)]


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
            f"show a cell that the other holds too; {counts.source_cells_shared} of "
            f"{format_count(counts.source_cells, 'source cell')}."
        )
    pairs = report.pick_clearest_pairs()
    if not pairs:
        st.success("No shared cell was found.", icon=":material/check:")
        return
    st.download_button(
        "All pairs (CSV)", report.csv(), "shared_cells.csv", "text/csv", key="datasets-leaks-csv", on_click="ignore"
    )
    for first in range(0, min(len(pairs), PAIRS_SHOWN), 4):
        thumbnails = []
        for pair in pairs[first : first + 4]:
            for index in (pair.a, pair.b):
                record, one = report.records[index], sets[int(report.set_of[index])]
                try:
                    rgb = read_rgb(one.source.read(record.file))
                except BloodcellError:
                    continue
                thumbnails.append(
                    make_grid_image(rgb, f"{one.name}: {format_label(record.label)}, {record.file.rsplit('/', 1)[-1]}")
                )
        show_image_grid(thumbnails, "repeat(8, minmax(0, 1fr))")
    if len(pairs) > PAIRS_SHOWN:
        st.caption(f"{PAIRS_SHOWN} of {len(pairs):,} shared cells shown, one pair each.")
