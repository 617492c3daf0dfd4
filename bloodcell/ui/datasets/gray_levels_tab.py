"""Gray levels of a dataset: single images, class means, all classes overlaid, and a threshold to try on images."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from bloodcell.datasets.catalog.exploration import SampledLevels, iterate_example_images
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.imaging import threshold
from bloodcell.imaging.gray_levels import summarise_levels_by_class
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import measure_area_share
from bloodcell.plots import gray_levels as charts
from bloodcell.plots.cell_images import draw_outline
from bloodcell.reports.numbers import format_count
from bloodcell.ui.datasets.dataset_images import (
    ask_sample,
    count_gray_levels,
    get_or_compute_with_spinner,
    make_grid_image,
    open_source,
    show_class_heading,
)
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid

PRESETS = {f"{level} {name}": level for name, level in threshold.PRESETS.items()}
OTSU, _CUSTOM = "Otsu, per image", "Custom"
_START_LEVEL = 150
LINES_PER_CLASS = 40
TRIED_PER_CLASS = 6


def show(dataset: Dataset) -> None:
    """Show the charts of gray levels for a sample of the dataset, and try a threshold on it."""
    sample, seed = ask_sample(dataset, "levels")
    ignore_black = st.toggle(
        "Ignore black borders",
        value=True,
        key="datasets-levels-black",
        help="Rotated images have black corners, which would appear as a spike at level 0.",
    )
    sampled = count_gray_levels(dataset, sample, seed)
    statistics = summarise_levels_by_class(sampled.levels, sampled.labels, ignore_black=ignore_black)
    st.plotly_chart(charts.plot_classes_overlaid(statistics), key="datasets-levels-overlaid")
    st.plotly_chart(charts.plot_class_means(statistics), key="datasets-levels-means")
    with st.expander("Single images"):
        picked = _pick_per_class(sampled)
        st.plotly_chart(
            charts.plot_images_by_class(
                [sampled.levels[index] for index in picked],
                [sampled.labels[index] for index in picked],
                [sampled.records[index].file for index in picked],
                ignore_black=ignore_black,
            ),
            key="datasets-levels-single",
        )
    st.caption(f"{format_count(len(sampled.records), 'image')} sampled, seed {seed}.")
    _try_threshold(dataset, sample, seed)


def _pick_per_class(sampled: SampledLevels) -> list[int]:
    counts: dict[str, int] = {}
    picked = []
    for index, label in enumerate(sampled.labels):
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= LINES_PER_CLASS:
            picked.append(index)
    return picked


def _try_threshold(dataset: Dataset, sample: list[Record], seed: int) -> None:
    st.subheader("Try a threshold", anchor=False)
    chosen = st.segmented_control(
        "Threshold",
        [*PRESETS, OTSU, _CUSTOM],
        default=next(iter(PRESETS)),
        required=True,
        key="datasets-threshold-preset",
    )
    fixed = PRESETS.get(chosen, _START_LEVEL)
    if chosen == _CUSTOM:
        fixed = st.slider("Threshold: darker pixels are marked", 0, 255, _START_LEVEL, key="datasets-threshold-own")

    def load_images() -> list[tuple[Record, npt.NDArray[np.uint8]]]:
        return list(iterate_example_images(open_source(dataset), sample, TRIED_PER_CLASS))

    shown = get_or_compute_with_spinner((dataset.fingerprint, "tried", len(sample), seed), load_images)
    rows: dict[str, list[tuple[str, str]]] = {}
    for record, rgb in shown:
        level = threshold.find_threshold_level(rgb, threshold.OTSU if chosen == OTSU else fixed)
        mask = threshold.mask_by_threshold(rgb, level)
        row = rows.setdefault(record.label, [])
        row.append(make_grid_image(rgb, record.file.rsplit("/", 1)[-1]))
        row.append(
            (
                data_uri(encode_jpeg(draw_outline(rgb, mask))),
                f"threshold {level}: {measure_area_share(mask, rgb):.0%} of the image",
            )
        )
    for label, thumbnails in rows.items():
        show_class_heading(label)
        show_image_grid(thumbnails, f"repeat({2 * TRIED_PER_CLASS}, minmax(0, 1fr))")
