"""One opened cell: its crop, its place in the field, probabilities, history, and what thresholds show."""

import numpy as np
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
from bloodcell.ui.classify.upload_form import get_batch_model
from bloodcell.ui.shared import resources, state, thumbnails
from bloodcell.ui.shared.explanation_view import show_explanation
from bloodcell.ui.shared.image_grid import NO_MODEBAR, data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors

_MASK_WORDS = {"gray": "Gray", "red": "Red", "green": "Green", "blue": "Blue"}


def show_cell(bench: state.Bench, batch: Batch) -> list[tuple[str, str]]:
    """Show the chosen cell of a bench; nothing where none is chosen.

    Returns
    -------
    list of (data URI, caption)
        The masks of the cell, for `show_image_grid`; empty where no cell is open or its image cannot be read.
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
        [(data_uri(crop, "png"), "The cell, close up"), (data_uri(field), _describe_position(cell, len(boxes)))],
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
    st.markdown(f"**How sure the model is** · {style.sign} {style.word}", help=style.meaning)
    probs = [float(cell[f"prob_{name}"]) for name in class_names]
    st.plotly_chart(
        plot_probabilities(class_names, probs, cell["prediction"]),
        config=NO_MODEBAR,
        key="classify-probabilities",
        alt="Probability of each class",
    )


def _show_why(cell: pd.Series, box: Box, batch: Batch) -> None:
    """Show where the model looked, once that is asked for; it stays open for the cells after this one."""
    if st.toggle("Why this class?", key="classify-why", help="Where the model looked at this cell."):
        with show_errors():
            show_explanation(
                get_batch_model(batch),
                cell["sha256"],
                lambda: resources.get_blob_store().get(cell["sha256"]),
                box,
                cell["prediction"],
                key=f"classify-why-{cell.name}",
            )


def _show_history(cell_id: int) -> None:
    decisions = list_corrections(resources.get_database(), cell_id)
    if not decisions:
        st.caption("Nobody has decided about this cell yet.")
        return
    lines = []
    for one in reversed(decisions):
        line = f"{theme.format_label(one.label)}, by {escape_md(one.who)}, {format_local_time(one.when)}"
        lines.append(f"~~{line}~~ undone" if one.undone_when else line)
    st.caption("**Decisions, latest first:** " + " · ".join(lines))


def _show_threshold(cell_id: int, rgb: np.ndarray) -> list[tuple[str, str]]:
    """Show the grayscale histogram with a movable threshold; return the masks by that and by Otsu's threshold."""
    levels = convert_to_gray(rgb)
    otsu = find_otsu_threshold(levels, ignore_black=True)  # corners of rotated pictures
    preset_key, slider_key, begin = state.prepare_threshold(cell_id, otsu)
    st.markdown(
        "**Gray levels of the cell**",
        help="Stained nuclei are dark. Pixels up to the threshold count as dark. Otsu's method finds the "
        "threshold that separates dark from light best.",
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
    shown = {
        f"Overlay of dark up to {threshold}": overlay_mask(rgb, mask, theme.MASK_RGB),
        f"Dark up to {threshold}": render_mask(mask),
    }
    shown |= {
        f"Otsu, {_MASK_WORDS[name]}": render_mask(one) for name, one in mask_by_otsu(rgb, ignore_black=True).items()
    }
    return [(data_uri(encode_png(one), "png"), name) for name, one in shown.items()]
