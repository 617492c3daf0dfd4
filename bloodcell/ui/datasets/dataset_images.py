"""Images of a dataset for its pages: a source to read from, a sample, and thumbnails."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from bloodcell.datasets.catalog.exploration import SampledLevels, measure_sample_levels
from bloodcell.datasets.catalog.library import read_images_table
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import encode_jpeg
from bloodcell.plots.cell_images import pad_to_square, render_gray
from bloodcell.plots.theme import format_label
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.shared.progress import get_or_run_with_bar

THUMBNAIL_PX = 132
SAMPLE_SIZES = (100, 200, 400, 800, 1600)

T = TypeVar("T")


def load_table(dataset: Dataset) -> pd.DataFrame:
    """Return the table of images of a dataset as last scanned; read from the disk once."""
    return get_or_compute((dataset.fingerprint, dataset.scanned_at, "table"), lambda: read_images_table(dataset))


def list_usable_records(dataset: Dataset) -> list[Record]:
    """Return the labelled images that can be read."""
    table = load_table(dataset)
    usable = table[table["problem"] == ""]
    return [Record(*row) for row in usable[["file", "label"]].itertuples(index=False, name=None)]


def open_source(dataset: Dataset) -> Contents:
    """Open the folder or zip that the images are read from."""
    return Contents(dataset.path)


def ask_sample(dataset: Dataset, view: str) -> tuple[list[Record], int]:
    """Ask how many images to sample; of a small dataset all are taken.

    Parameters
    ----------
    dataset : Dataset
    view : str
        Name of the view in the keys of its widgets; each view has a sample of its own.

    Returns
    -------
    sample : list of Record
    seed : int
        What the sample was drawn with; Reshuffle adds 1.
    """
    records = list_usable_records(dataset)
    seed_key = f"datasets-{view}-seed"
    seed = int(st.session_state.get(seed_key, 0))
    sizes = [size for size in SAMPLE_SIZES if size < len(records)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        options = [*sizes, len(records)]
        default = 400 if 400 in options else options[-1]
        size = st.selectbox(
            "Sample size",
            options,
            index=options.index(default),
            format_func=lambda n: f"all {n:,} images" if n == len(records) else f"{n:,} of {len(records):,} images",
            key=f"datasets-{view}-size-{dataset.id}",
            width=200,
        )
        if size < len(records) and st.button("Reshuffle", icon=":material/shuffle:", key=f"datasets-{view}-others"):
            st.session_state[seed_key] = seed = seed + 1
    return sample_records(records, size, seed), seed


def count_gray_levels(dataset: Dataset, sample: Sequence[Record], seed: int) -> SampledLevels:
    """Return the gray levels of a sample; computed once, with a progress bar."""
    return get_or_run_with_bar(
        (dataset.fingerprint, "levels", len(sample), seed),
        "Counting gray levels",
        lambda on_progress, _: measure_sample_levels(open_source(dataset), sample, on_progress),
    )


def get_or_compute_with_spinner(key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """Do what `cache.get_or_compute` does, under a spinner: for images that take seconds to read and draw."""
    with st.spinner("Reading images …"):
        return get_or_compute(key, make)


def show_class_heading(label: str, more: str = "") -> None:
    """Write the name of a class above its images."""
    st.markdown(f"**{escape_md(format_label(label))}**" + (f" · {more}" if more else ""))


def make_grid_image(
    rgb: npt.NDArray[np.uint8], caption: str, *, in_gray: bool = False, side_px: int = THUMBNAIL_PX
) -> tuple[str, str]:
    """Make a square thumbnail for `image_grid.show_image_grid`.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    caption : str
    in_gray : bool, default False
        Show gray levels instead of colours.
    side_px : int, default 132

    Returns
    -------
    uri : str
        The JPEG as a data URI.
    caption : str
    """
    shown = pad_to_square(render_gray(rgb) if in_gray else rgb, side_px)
    return data_uri(encode_jpeg(shown)), caption
