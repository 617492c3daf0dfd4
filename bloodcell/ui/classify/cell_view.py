"""The open cell: its close-up and field, probabilities, explanation, review history, and gray levels."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from bloodcell.imaging.boxes import Box
from bloodcell.imaging.histogram import compute_gray_histogram, convert_to_gray
from bloodcell.imaging.otsu import find_otsu_threshold, mask_below, mask_by_otsu, overlay_mask
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.plots import theme
from bloodcell.plots.cell_images import render_mask
from bloodcell.plots.cells import plot_probabilities
from bloodcell.plots.gray_levels import plot_gray_histogram
from bloodcell.review.batches import Batch
from bloodcell.review.corrections import list_corrections
from bloodcell.review.scale import read_image_scale
from bloodcell.ui.classify.upload_form import get_batch_model
from bloodcell.ui.shared import resources, state, thumbnails
from bloodcell.ui.shared.explanation_view import show_explanation
from bloodcell.ui.shared.image_grid import NO_MODEBAR, data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors


def show_cell(bench: state.Bench, batch: Batch) -> list[tuple[str, str]]:
    """Show the open cell of a bench, a hint where none is open.

    Parameters
    ----------
    bench : Bench
    batch : Batch
        The batch of the bench.

    Returns
    -------
    list of (str, str)
        The masks of the cell as data URI and caption, for `show_image_grid`; empty where no cell is open.

    Raises
    ------
    StoreError, ImageError
        If the stored image is missing, damaged or cannot be read.
    """
    if bench.chosen is None or bench.chosen not in bench.table.index:
        st.caption("Click a cell to open it.")
        return []
    cell = bench.table.loc[bench.chosen]
    of_image = bench.table[bench.table["image_id"] == cell["image_id"]]
    boxes = [Box(*map(int, row)) for row in of_image[list(Box._fields)].to_numpy()]
    position = int(of_image.index.get_loc(bench.chosen))
    crop, field = thumbnails.make_cell_and_field(
        thumbnails.get_shared_cache(), resources.get_blob_store(), cell["sha256"], boxes, position
    )
    show_image_grid(
        [(data_uri(crop, "png"), "Close-up"), (data_uri(field), _describe_position(cell, len(boxes)))],
        "2fr 3fr",
    )
    _show_probabilities(cell, batch.class_names)
    _show_why(cell, boxes[position], batch)
    _show_history(bench.chosen)
    return _show_threshold(bench.chosen, read_rgb(crop))


def _describe_position(cell: pd.Series, n_cells: int) -> str:
    which = f"Cell {cell['cell_number']} of {n_cells}" if n_cells > 1 else "The only cell"
    return f"{which} in {cell['file_name']}"


def _show_probabilities(cell: pd.Series, class_names: tuple[str, ...]) -> None:
    style = theme.STATUS_STYLES.get(cell["status"])
    if style is None:
        return
    st.markdown(f"**Model confidence** · {style.sign} {style.word}", help=style.meaning)
    probs = [float(cell[f"prob_{name}"]) for name in class_names]
    st.plotly_chart(
        plot_probabilities(class_names, probs, cell["prediction"]),
        config=NO_MODEBAR,
        key="classify-probabilities",
        alt="Probability of each class",
    )


def _show_why(cell: pd.Series, box: Box, batch: Batch) -> None:
    """Show where the model looked, if asked for; the toggle stays on for the next cells."""
    if st.toggle("Why this class?", key="classify-why", help="Shows where in the cell the model looked."):
        with show_errors():
            show_explanation(
                get_batch_model(batch),
                cell["sha256"],
                lambda: resources.get_blob_store().get(cell["sha256"]),
                box,
                cell["prediction"],
                key=f"classify-why-{cell.name}",
                red_cell_px=read_image_scale(resources.get_database(), int(cell["image_id"])),
            )


def _show_history(cell_id: int) -> None:
    corrections = list_corrections(resources.get_database(), cell_id)
    if not corrections:
        st.caption("This cell is not reviewed yet.")
        return
    lines = []
    for correction in reversed(corrections):
        line = f"{theme.format_label(correction.label)}, by {escape_md(correction.who)}, {format_local_time(correction.when)}"
        lines.append(f"~~{line}~~ undone" if correction.undone_when else line)
    st.caption("**Reviews, latest first:** " + " · ".join(lines))


def _show_threshold(cell_id: int, rgb: npt.NDArray[np.uint8]) -> list[tuple[str, str]]:
    """Show the histogram of gray levels with a movable threshold; return the masks by it and by Otsu's method."""
    levels = convert_to_gray(rgb)
    otsu = find_otsu_threshold(levels, ignore_black=True)  # corners of rotated images
    preset_key, slider_key, begin = state.prepare_threshold(cell_id, otsu)
    st.markdown(
        "**Gray levels of the cell**",
        help="Stained nuclei are dark. Pixels at or below the threshold count as dark. Otsu's method finds the threshold "
        "that best separates dark from light.",
    )
    st.segmented_control(
        "Threshold", state.THRESHOLD_PRESETS, key=preset_key, label_visibility="collapsed", width="stretch"
    )
    threshold = st.slider(
        "Threshold",
        0,
        255,
        begin,
        key=slider_key,
        on_change=state.on_threshold_moved,
        args=(slider_key,),
        label_visibility="collapsed",
    )
    st.plotly_chart(
        plot_gray_histogram(compute_gray_histogram(rgb, ignore_black=True), threshold, otsu),
        config=NO_MODEBAR,
        key="classify-histogram",
        alt="Histogram of gray levels with the threshold",
    )
    mask = mask_below(levels, threshold)
    images = {
        f"Overlay, threshold {threshold}": overlay_mask(rgb, mask, theme.MASK_RGB),
        f"Threshold {threshold}": render_mask(mask),
    }
    for channel, channel_mask in mask_by_otsu(rgb, ignore_black=True).items():
        images[f"Otsu, {channel}"] = render_mask(channel_mask)
    return [(data_uri(encode_png(image), "png"), caption) for caption, image in images.items()]
