"""Gray levels of a dataset: single images, means of the classes, all overlaid, and a threshold tried on pictures."""

import streamlit as st

from bloodcell.datasets.catalog.exploration import SampledLevels, pictures_to_show
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.imaging import threshold
from bloodcell.imaging.gray_levels import statistics_by_class
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import area_share
from bloodcell.plots import gray_levels as charts
from bloodcell.plots.cell_images import outlined
from bloodcell.ui.datasets.dataset_images import (
    ask_sample,
    class_heading,
    figure_of,
    kept_pictures,
    levels_of,
    source_of,
)
from bloodcell.ui.shared.image_rows import data_uri, show_figures
from bloodcell.ui.shared.text import counted

PRESETS = {f"{level} {name}": level for name, level in threshold.PRESETS.items()}
OTSU = "Otsu of each picture"
LINES_PER_CLASS = 40
TRIED_PER_CLASS = 6


def show(dataset: Dataset) -> None:
    """All charts of gray levels for a sample of the dataset."""
    sample, seed = ask_sample(dataset, "levels")
    ignore_black = st.toggle(
        "Leave out black borders",
        value=True,
        key="datasets-levels-black",
        help="Pictures that were turned have black corners; they would stand as a spike at level 0.",
    )
    found = levels_of(dataset, sample, seed)
    statistics = statistics_by_class(found.levels, found.labels, ignore_black=ignore_black)
    st.plotly_chart(charts.classes_overlaid(statistics), key="datasets-levels-overlaid")
    st.plotly_chart(charts.means_by_class(statistics), key="datasets-levels-means")
    with st.expander("Single images"):
        few = _few_per_class(found)
        st.plotly_chart(
            charts.images_by_class(
                [found.levels[at] for at in few],
                [found.labels[at] for at in few],
                [found.records[at].file for at in few],
                ignore_black=ignore_black,
            ),
            key="datasets-levels-single",
        )
    st.caption(f"{counted(len(found.records), 'image')} looked at, seed {seed}.")
    _try_threshold(dataset, sample, seed)


def _few_per_class(found: SampledLevels) -> list[int]:
    counts: dict[str, int] = {}
    few = []
    for at, label in enumerate(found.labels):
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= LINES_PER_CLASS:
            few.append(at)
    return few


def _try_threshold(dataset: Dataset, sample: list[Record], seed: int) -> None:
    st.subheader("Try a threshold", anchor=False)
    chosen = st.segmented_control(
        "Threshold", [*PRESETS, OTSU, "Own"], default="150 target cell", required=True, key="datasets-threshold-preset"
    )
    own = PRESETS.get(chosen, 150)
    if chosen == "Own":
        own = st.slider("Gray level: darker pixels are marked", 0, 255, 150, key="datasets-threshold-own")

    def pictures():
        return list(pictures_to_show(source_of(dataset), sample, TRIED_PER_CLASS))

    shown = kept_pictures((dataset.fingerprint, "tried", len(sample), seed), pictures)
    rows: dict[str, list[tuple[str, str]]] = {}
    for record, rgb in shown:
        level = threshold.threshold_level(rgb, threshold.OTSU if chosen == OTSU else own)
        mask = threshold.threshold_mask(rgb, level)
        row = rows.setdefault(record.label, [])
        row.append(figure_of(rgb, record.file.rsplit("/", 1)[-1]))
        row.append(
            (data_uri(encode_jpeg(outlined(rgb, mask))), f"level {level}: {area_share(mask, rgb):.0%} of the picture")
        )
    for label, figures in rows.items():
        class_heading(label)
        show_figures(figures, f"repeat({2 * TRIED_PER_CLASS}, minmax(0, 1fr))")
