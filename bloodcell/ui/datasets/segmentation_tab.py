"""Ways to segment compared on a dataset: area, and Dice where true masks lie beside the images."""

import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.exploration import Comparison, compare_methods, method_summary, pictures_to_show
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, area_share, segment
from bloodcell.plots import segmentation as charts
from bloodcell.plots.cell_images import outlined
from bloodcell.ui.datasets.dataset_images import ask_sample, class_heading, figure_of, kept_pictures, source_of
from bloodcell.ui.shared.image_rows import data_uri, show_figures
from bloodcell.ui.shared.progress import Progress, Stop, kept_with_bar
from bloodcell.ui.shared.text import counted

SHOWN_PER_CLASS = 2


def show(dataset: Dataset) -> None:
    """The comparison on a sample, and the masks on a few pictures of each class."""
    sample, seed = ask_sample(dataset, "segments")
    images = source_of(dataset)

    def compared(told: Progress, _: Stop) -> Comparison:
        records, mask_of = pair_masks(images, sample)
        return compare_methods(images, records, mask_of, told)

    found = kept_with_bar((dataset.fingerprint, "segments", len(sample), seed), "Segmenting", compared)
    if found.n_masks:
        st.plotly_chart(charts.dice_boxes(found.table), key="datasets-dice")
    else:
        st.caption("No true masks lie beside these images, so areas are compared only.")
    st.plotly_chart(charts.area_boxes(found.table), key="datasets-areas")
    with st.expander("Area by class"):
        st.plotly_chart(charts.area_boxes(found.table, by_class=True), key="datasets-areas-classes")
    st.dataframe(_in_words(method_summary(found.table), found.n_masks > 0), key="datasets-methods")
    st.caption(
        f"{counted(found.n_images, 'image')} looked at, {counted(found.n_masks, 'true mask')}, seed {seed}."
        + (f" {counted(len(found.problems), 'file')} could not be used." if found.problems else "")
    )
    st.subheader("Side by side", anchor=False)

    def drawn() -> dict[str, list[list[tuple[str, str]]]]:
        rows: dict[str, list[list[tuple[str, str]]]] = {}
        for record, rgb in pictures_to_show(images, sample, SHOWN_PER_CLASS):
            figures = [figure_of(rgb, record.file.rsplit("/", 1)[-1])]
            for method, mask in segment(rgb).items():
                words = f"{METHODS[method]}: {area_share(mask, rgb):.0%}"
                figures.append((data_uri(encode_jpeg(outlined(rgb, mask))), words))
            rows.setdefault(record.label, []).append(figures)
        return rows

    key = (dataset.fingerprint, "segment pictures", len(sample), seed)
    for label, rows in kept_pictures(key, drawn).items():
        class_heading(label)
        for figures in rows:
            show_figures(figures, f"repeat({len(METHODS) + 1}, minmax(0, 1fr))")


def _in_words(summary: pd.DataFrame, has_masks: bool) -> pd.DataFrame:
    """The summary with names and shares as people read them; without Dice where no true mask is."""
    shown = pd.DataFrame(
        {
            "Area, median": summary["area_median"].map("{:.1%}".format),
            "Area, middle half": [
                f"{low:.1%} to {high:.1%}" for low, high in zip(summary["area_low"], summary["area_high"], strict=True)
            ],
        },
        index=summary.index,
    )
    if has_masks:
        shown["Dice of the nucleus, mean"] = summary["dice_nucleus"]
        shown["Dice of the cell, mean"] = summary["dice_cell"]
    return shown.rename(index=METHODS).rename_axis("Method")
