"""Source cells and patients of a dataset, and what two sets share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import KeptGroups, keep_groups, kept_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.leak_report import LeakReport
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.copies.name_groups import column_groups, name_groups, preview_name_groups
from bloodcell.datasets.labels.records import Record
from bloodcell.imaging.read import read_rgb
from bloodcell.plots.theme import label_words
from bloodcell.ui.datasets.dataset_images import figure_of, source_of, table_of, usable_records
from bloodcell.ui.shared.cache import kept, known
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.image_rows import show_figures
from bloodcell.ui.shared.progress import Progress, Stop, with_bar
from bloodcell.ui.shared.text import counted, plain

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
    known = kept_groups(dataset)
    if known is not None:
        _show_groups(dataset, known)
    with st.expander("Find the groups" if known is None else "Find the groups anew", expanded=known is None):
        _find(dataset)
    st.subheader("What two sets share", anchor=False)
    _leaks(dataset)


def _show_groups(dataset: Dataset, known: KeptGroups) -> None:
    if not known.is_current:
        st.warning("The images have changed since these groups were found: find them anew.", icon=":material/sync:")
    sizes = known.sizes()
    table = table_of(dataset).assign(group=lambda rows: rows["file"].map(known.group_of))
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
    st.caption(f"Found {plain(known.how)}.")
    grouped = table.dropna(subset=["group"])
    per_class = grouped.groupby("label").agg(Groups=("group", "nunique"), Images=("file", "size"))
    st.dataframe(per_class.rename(index=label_words).rename_axis("Class"), key="datasets-groups-classes")
    shared = [str(group) for group in sizes.index[sizes > 1]]
    if not shared:
        st.caption("Every image is a group of its own.")
        return
    images = source_of(dataset)
    mixed = [str(group) for group in labels.index[labels > 1]]
    to_show = [*mixed[:3], *[name for name in shared if name not in mixed]][:LARGEST_SHOWN]
    st.caption(f"{len(to_show)} of {counted(len(shared), 'group')} of two or more images, mixed labels first.")
    for group in to_show:
        rows = table[table["group"] == group]
        words = ", ".join(label_words(label) for label in sorted(rows["label"].unique()))
        st.markdown(f"**{counted(len(rows), 'image')}** · {plain(words)}")
        with show_errors():
            figures = [
                figure_of(read_rgb(images.read(file)), file.rsplit("/", 1)[-1]) for file in rows["file"][:MEMBERS_SHOWN]
            ]
            show_figures(figures, f"repeat({MEMBERS_SHOWN}, minmax(0, 1fr))")


def _find(dataset: Dataset) -> None:
    how = st.radio("How", [_PIXELS, _NAMES, _TABLE], horizontal=True, key="datasets-groups-how")
    files = [record.file for record in usable_records(dataset)]
    with show_errors():
        if how == _PIXELS:
            st.caption(
                f"{counted(len(files), 'image')}: this takes {_minutes(len(files))}. Leave the page open until it is done."
            )
            if st.button("Find copies", type="primary", icon=":material/search:", key="datasets-find-copies"):
                keep_groups(dataset, _from_pixels(dataset), "from the pictures")
                st.rerun()
        elif how == _NAMES:
            _from_names(dataset, files)
        else:
            table = dataset.choice.table
            labels = "" if dataset.is_zip or table is None else str(dataset.path / table.csv)
            path = st.text_input("CSV on this computer", labels, key=f"datasets-groups-csv-{dataset.id}")
            column = st.text_input("Its column of groups", key="datasets-groups-column", placeholder="patient")
            if path and column and st.button("Take these groups", key="datasets-take-csv"):
                groups = column_groups(Path(path.strip()), column.strip(), files)
                keep_groups(dataset, groups, f"in the column {column} of {Path(path).name}")
                st.rerun()


def _from_names(dataset: Dataset, files: list[str]) -> None:
    pattern = st.text_input(
        "Pattern: what its round brackets hold is the group",
        value=r"C(\d+)",
        key="datasets-pattern",
        help=r"A regular expression. C(\d+)P takes 33 from C33P1thinF_IMG_1.png.",
    )
    found = preview_name_groups(pattern, files)
    st.caption(
        f"{counted(len(found.sizes), 'group')}; {counted(len(found.group_of), 'file')} match, "
        f"{len(found.unmatched):,} do not."
    )
    left, right = st.columns(2)
    left.dataframe(pd.DataFrame(found.examples(), columns=["File", "Group"]), hide_index=True, key="datasets-examples")
    sizes = pd.DataFrame(list(found.sizes.items())[:100], columns=["Group", "Files"])
    right.dataframe(sizes, hide_index=True, key="datasets-name-sizes")
    if found.unmatched:
        st.warning(f"It does not match {plain(found.unmatched[0])}, for one.", icon=":material/rule:")
    if st.button("Take these groups", key="datasets-take-names", disabled=bool(found.unmatched) or not found.group_of):
        keep_groups(dataset, name_groups(pattern, files), f"in the names by the pattern {pattern}")
        st.rerun()


def _from_pixels(dataset: Dataset) -> dict[str, str]:
    records, images = usable_records(dataset), source_of(dataset)

    def work(told: Progress, should_stop: Stop) -> dict[str, str]:
        grouping = group_images(
            lambda row: read_rgb(images.read(records[row].file)),
            len(records),
            told,
            should_stop=should_stop,
            on_problem=lambda row, error: None,  # such an image stays a group of its own
        )
        return {record.file: str(group) for record, group in zip(records, grouping.groups, strict=True)}

    return with_bar("Comparing pictures", work)


def _minutes(n_images: int) -> str:
    seconds = n_images * S_PER_IMAGE
    return "less than a minute" if seconds < 60 else f"about {counted(round(seconds / 60), 'minute')}"


def _leaks(dataset: Dataset) -> None:
    others = [one for one in list_datasets(load_settings()) if one.id != dataset.id]
    choices: dict[str, Callable[[], list[ImageSet]]] = {}
    if len(dataset.splits) > 1:
        choices[f"the parts {', '.join(dataset.splits)} of this dataset"] = partial(_parts, dataset)
    for other in others:
        choices[f"this dataset and {other.name}"] = partial(_two_sets, dataset, other)
    if not choices:
        st.caption("Register a second dataset, or one with train and test folders, to compare them here.")
        return
    chosen = st.selectbox("Compare", list(choices), key=f"datasets-leaks-{dataset.id}")
    key = (dataset.fingerprint, "leaks", chosen, *(one.fingerprint for one in others))
    if st.button("Look for shared cells", icon=":material/compare:", key="datasets-leaks-go"):
        with show_errors():
            kept(key, lambda: with_bar("Looking for shared cells", partial(find_leaks, choices[chosen]())))
    report = known(key)
    if report is not None:
        _show_report(report, choices[chosen]())


def _as_set(dataset: Dataset) -> ImageSet:
    return ImageSet(dataset.name, source_of(dataset), usable_records(dataset))


def _two_sets(one: Dataset, other: Dataset) -> list[ImageSet]:
    return [_as_set(one), _as_set(other)]


def _parts(dataset: Dataset) -> list[ImageSet]:
    table = table_of(dataset)
    usable = table[table["problem"] == ""]
    images = source_of(dataset)
    return [
        ImageSet(name, images, [Record(*row) for row in rows[["file", "label"]].itertuples(index=False, name=None)])
        for name, rows in sorted(usable.groupby("split"), key=lambda part: ("test" in part[0].lower(), part[0]))
        if name
    ]


def _show_report(report: LeakReport, sets: list[ImageSet]) -> None:
    for touched in report.touched:
        share = touched.images_touched / max(1, touched.images)
        st.markdown(
            f"**{plain(touched.name)}**: {touched.images_touched:,} of {counted(touched.images, 'image')} ({share:.1%}) "
            f"show a cell that the other holds too; {touched.source_cells_touched} of "
            f"{counted(touched.source_cells, 'source cell')}."
        )
    pairs = report.one_per_cell()
    if not pairs:
        st.success("No shared cell was found.", icon=":material/check:")
        return
    st.download_button(
        "All pairs (CSV)", report.csv(), "shared_cells.csv", "text/csv", key="datasets-leaks-csv", on_click="ignore"
    )
    for first in range(0, min(len(pairs), PAIRS_SHOWN), 4):
        figures = []
        for pair in pairs[first : first + 4]:
            for at in (pair.a, pair.b):
                record, one = report.records[at], sets[int(report.set_of[at])]
                try:
                    rgb = read_rgb(one.source.read(record.file))
                except BloodcellError:
                    continue
                figures.append(
                    figure_of(rgb, f"{one.name}: {label_words(record.label)}, {record.file.rsplit('/', 1)[-1]}")
                )
        show_figures(figures, "repeat(8, minmax(0, 1fr))")
    if len(pairs) > PAIRS_SHOWN:
        st.caption(f"{PAIRS_SHOWN} of {len(pairs):,} shared cells shown, one pair each.")
