"""Segmentation methods compared on a dataset: area, and Dice where true masks lie beside the images."""

import pandas as pd
import streamlit as st

from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.catalog.exploration import (
    Comparison,
    compare_methods,
    iterate_example_images,
    summarise_methods,
)
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, measure_area_share, segment_cell
from bloodcell.plots import segmentation as charts
from bloodcell.plots.cell_images import draw_outline
from bloodcell.reports.numbers import format_count
from bloodcell.ui.datasets.dataset_images import (
    ask_sample,
    get_or_compute_with_spinner,
    make_grid_image,
    open_source,
    show_class_heading,
)
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.shared.progress import get_or_run_with_bar

SHOWN_PER_CLASS = 2


def show(dataset: Dataset) -> None:
    """Show the comparison on a sample, and the masks on a few images of each class."""
    sample, seed = ask_sample(dataset, "segments")
    images = open_source(dataset)

    def compare(on_progress: OnProgress, _: ShouldStop) -> Comparison:
        records, mask_by_image = pair_masks(images, sample)
        return compare_methods(images, records, mask_by_image, on_progress)

    comparison = get_or_run_with_bar((dataset.fingerprint, "segments", len(sample), seed), "Segmenting", compare)
    if comparison.n_masks:
        st.plotly_chart(charts.plot_dice(comparison.table), key="datasets-dice")
    else:
        st.caption("No true masks were found beside these images, so only areas are compared.")
    st.plotly_chart(charts.plot_areas(comparison.table), key="datasets-areas")
    with st.expander("Area by class"):
        st.plotly_chart(charts.plot_areas(comparison.table, by_class=True), key="datasets-areas-classes")
    st.dataframe(_format_summary(summarise_methods(comparison.table), comparison.n_masks > 0), key="datasets-methods")
    st.caption(
        f"{format_count(comparison.n_images, 'image')} sampled, {format_count(comparison.n_masks, 'true mask')}, seed {seed}."
        + (f" {format_count(len(comparison.problems), 'file')} could not be used." if comparison.problems else "")
    )
    st.subheader("Side by side", anchor=False)

    def draw_rows() -> dict[str, list[list[tuple[str, str]]]]:
        rows: dict[str, list[list[tuple[str, str]]]] = {}
        for record, rgb in iterate_example_images(images, sample, SHOWN_PER_CLASS):
            thumbnails = [make_grid_image(rgb, record.file.rsplit("/", 1)[-1])]
            for method, mask in segment_cell(rgb).items():
                caption = f"{METHODS[method]}: {measure_area_share(mask, rgb):.0%}"
                thumbnails.append((data_uri(encode_jpeg(draw_outline(rgb, mask))), caption))
            rows.setdefault(record.label, []).append(thumbnails)
        return rows

    key = (dataset.fingerprint, "segment images", len(sample), seed)
    for label, rows in get_or_compute_with_spinner(key, draw_rows).items():
        show_class_heading(label)
        for thumbnails in rows:
            show_image_grid(thumbnails, f"repeat({len(METHODS) + 1}, minmax(0, 1fr))")


def _format_summary(summary: pd.DataFrame, has_masks: bool) -> pd.DataFrame:
    """Format the summary for people; without Dice where there is no true mask."""
    shown = pd.DataFrame(
        {
            "Median area": summary["area_median"].map("{:.1%}".format),
            "Area, interquartile range": [
                f"{low:.1%} to {high:.1%}" for low, high in zip(summary["area_low"], summary["area_high"], strict=True)
            ],
        },
        index=summary.index,
    )
    if has_masks:
        shown["Mean Dice, nucleus"] = summary["dice_nucleus"]
        shown["Mean Dice, cell"] = summary["dice_cell"]
    return shown.rename(index=METHODS).rename_axis("Method")
