"""Ways to segment compared on a dataset: area, and Dice where true masks lie beside the images."""

import streamlit as st

from bloodcell.data.explore import compare_methods, method_summary, pictures_to_show
from bloodcell.data.registration import Dataset
from bloodcell.data.true_masks import pair_masks
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, area_share, segment
from bloodcell.plots import segmentation as charts
from bloodcell.plots.pictures import outlined
from bloodcell.ui.dataset_pictures import ask_sample, figure_of, source_of, with_bar
from bloodcell.ui.figures import data_uri, show_figures
from bloodcell.ui.kept import kept
from bloodcell.ui.text import counted, plain

SHOWN_PER_CLASS = 2


def show(dataset: Dataset) -> None:
    """The comparison on a sample, and the masks on a few pictures of each class."""
    sample, seed = ask_sample(dataset, "segments")
    images = source_of(dataset)

    def compared():
        records, mask_of = pair_masks(images, sample)
        return with_bar("Segmenting", lambda told: compare_methods(images, records, mask_of, told))

    found = kept((dataset.fingerprint, "segments", len(sample), seed), compared)
    if found.n_masks:
        st.plotly_chart(charts.dice_boxes(found.table), key="datasets-dice")
    else:
        st.caption("No true masks lie beside these images, so areas are compared only.")
    st.plotly_chart(charts.area_boxes(found.table), key="datasets-areas")
    with st.expander("Area by class"):
        st.plotly_chart(charts.area_boxes(found.table, by_class=True), key="datasets-areas-classes")
    summary = method_summary(found.table).rename(index=METHODS)
    st.dataframe(summary, key="datasets-methods")
    st.caption(
        f"{counted(found.n_images, 'image')} looked at, {counted(found.n_masks, 'true mask')}, seed {seed}."
        + (f" {counted(len(found.problems), 'file')} could not be used." if found.problems else "")
    )
    st.subheader("Side by side", anchor=False)

    def drawn():
        rows = []
        for record, rgb in pictures_to_show(images, sample, SHOWN_PER_CLASS):
            figures = [figure_of(rgb, record.file.rsplit("/", 1)[-1])]
            for method, mask in segment(rgb).items():
                words = f"{METHODS[method]}: {area_share(mask, rgb):.0%}"
                figures.append((data_uri(encode_jpeg(outlined(rgb, mask))), words))
            rows.append((record.label, figures))
        return rows

    for label, figures in kept((dataset.fingerprint, "segment pictures", len(sample), seed), drawn):
        st.markdown(f"**{plain(label)}**")
        show_figures(figures, f"repeat({len(METHODS) + 1}, minmax(0, 1fr))")
