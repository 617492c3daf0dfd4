"""Pictures of a dataset for its pages: a source to read from, a sample, and rows of small pictures."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
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
    """The images of a dataset as they were registered, read from the disk once."""
    return get_or_compute((dataset.fingerprint, dataset.scanned_at, "table"), lambda: read_images_table(dataset))


def list_usable_records(dataset: Dataset) -> list[Record]:
    """The labelled images that can be read."""
    table = load_table(dataset)
    usable = table[table["problem"] == ""]
    return [Record(*row) for row in usable[["file", "label"]].itertuples(index=False, name=None)]


def open_source(dataset: Dataset) -> Contents:
    """Where the images are read from."""
    return Contents(dataset.path)


def ask_sample(dataset: Dataset, view: str) -> tuple[list[Record], int]:
    """Ask how many images to look at; all of a small dataset. Returns the sample and its seed."""
    records = list_usable_records(dataset)
    seed_key = f"datasets-{view}-seed"
    seed = int(st.session_state.get(seed_key, 0))
    sizes = [size for size in SAMPLE_SIZES if size < len(records)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        options = [*sizes, len(records)]
        default = 400 if 400 in options else options[-1]
        size = st.selectbox(
            "Images to look at",
            options,
            index=options.index(default),
            format_func=lambda n: f"all {n:,}" if n == len(records) else f"{n:,} of {len(records):,}",
            key=f"datasets-{view}-size-{dataset.id}",
            width=200,
        )
        if size < len(records) and st.button("Draw others", icon=":material/shuffle:", key=f"datasets-{view}-others"):
            st.session_state[seed_key] = seed = seed + 1
    return sample_records(records, size, seed), seed


def count_gray_levels(dataset: Dataset, sample: Sequence[Record], seed: int) -> SampledLevels:
    """Gray levels of a sample, computed once."""
    return get_or_run_with_bar(
        (dataset.fingerprint, "levels", len(sample), seed),
        "Counting gray levels",
        lambda on_progress, _: measure_sample_levels(open_source(dataset), sample, on_progress),
    )


def get_or_compute_with_spinner(key: tuple, make: Callable[[], T]) -> T:
    """What `get_or_compute.kept` returns for pictures that take seconds to read and draw, with a word while they do."""
    with st.spinner("Reading pictures …"):
        return get_or_compute(key, make)


def show_class_heading(label: str, more: str = "") -> None:
    """The name of a class above its pictures."""
    st.markdown(f"**{escape_md(format_label(label))}**" + (f" · {more}" if more else ""))


def make_grid_image(
    rgb: np.ndarray, caption: str, *, in_gray: bool = False, side_px: int = THUMBNAIL_PX
) -> tuple[str, str]:
    """One small picture for `figures.show_figures`."""
    shown = pad_to_square(render_gray(rgb) if in_gray else rgb, side_px)
    return data_uri(encode_jpeg(shown)), caption
