"""Images of an evaluated dataset: tiles to pick from, and the open image with all that the model said of it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from bloodcell.core.errors import StoreError
from bloodcell.datasets.catalog.label_errors import mark_label_error, read_label_errors, unmark_label_error
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.evaluation_folder import PROB_PREFIX, Evaluation, read_box
from bloodcell.evaluation.leak_check import CHOSEN_ON, NEAR_COPY, SAME_CELL, TRAINED_ON
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.histogram import compute_gray_histogram, convert_to_gray
from bloodcell.imaging.otsu import find_otsu_threshold, mask_by_otsu
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.plots import theme
from bloodcell.plots.cell_images import render_mask
from bloodcell.plots.cells import plot_probabilities
from bloodcell.plots.gray_levels import plot_gray_histogram
from bloodcell.ui.evaluate.evaluation_library import get_evaluated_model
from bloodcell.ui.shared import state, thumbnails
from bloodcell.ui.shared.explanation_view import show_explanation
from bloodcell.ui.shared.image_grid import NO_MODEBAR, data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors
from bloodcell.ui.shared.tiles import Tile

INCORRECT_COLOUR, CORRECT_COLOUR = "#c0392b", "#00725a"
_LEAK_WORDS = {
    TRAINED_ON: "The model was trained on this image.",
    SAME_CELL: "The model was trained on another image of this cell.",
    NEAR_COPY: "The model was trained on a near copy of this image.",
    CHOSEN_ON: "Thresholds or the best checkpoint of the model were chosen on this image.",
}


class DatasetImages:
    """The bytes of evaluated images by their SHA-256, for `ui.shared.thumbnails`."""

    def __init__(self, evaluation: Evaluation, dataset: Dataset | None) -> None:
        self._path = None if dataset is None else dataset.path
        self._files = dict(zip(evaluation.prediction_table["sha256"], evaluation.prediction_table["file"], strict=True))

    def get(self, sha256: str) -> bytes:
        """Return the bytes of an image; StoreError where the dataset is gone, DatasetError where the image is."""
        if self._path is None:
            raise StoreError("The dataset is no longer registered, so its images cannot be shown.")
        with Contents(self._path) as contents:
            return contents.read(self._files[sha256])


def make_tiles(
    evaluation: Evaluation, source: DatasetImages, rows: npt.NDArray[np.int_], dataset: Dataset | None
) -> list[Tile]:
    """Make the tiles of some rows: image, predicted and true class, confidence, and a mark on label errors.

    Parameters
    ----------
    evaluation : Evaluation
    source : DatasetImages
    rows : ndarray of int, shape (N,)
        Row numbers in the prediction table of the evaluation.
    dataset : Dataset or None
        Whose label errors are marked; None where it is no longer registered.
    """
    table = evaluation.prediction_table.iloc[rows]
    cache = thumbnails.get_shared_cache()
    cells = [(record.sha256, read_box(record)) for record in table.itertuples()]
    crops, problems = thumbnails.make_tile_crops(cache, source, [(sha, box) for sha, box in cells if box is not None])
    for problem in sorted(set(problems))[:1]:
        st.warning(escape_md(problem), icon=":material/broken_image:")
    next_crop = iter(crops)
    uris = [
        next(next_crop) if box is not None else thumbnails.make_thumbnail(cache, source, sha) or ""
        for sha, box in cells
    ]
    marks = read_label_errors(dataset) if dataset is not None else {}
    return [
        Tile(
            int(row), uri, *_describe_tile(record, evaluation.class_names), mark="✎" if record["file"] in marks else ""
        )
        for row, uri, (_, record) in zip(rows, uris, table.iterrows(), strict=True)
    ]


def _describe_tile(record: pd.Series, class_names: Sequence[str]) -> tuple[str, str, str]:
    """Title, subtitle and colour of a tile."""
    is_correct = record["label"] == record["prediction"]
    confidence = max(record[PROB_PREFIX + name] for name in class_names)
    prediction = theme.format_label(record["prediction"]) if record["prediction"] else "No prediction"
    title = f"{prediction} {100 * confidence:.0f} %" if record["prediction"] else prediction
    subtitle = "correct" if is_correct else f"true: {theme.format_label(record['label'])}"
    return title, subtitle, CORRECT_COLOUR if is_correct else INCORRECT_COLOUR


def show_image(info: EvaluationInfo, evaluation: Evaluation, dataset: Dataset | None, row: int) -> None:
    """Show one image: cell and field, true and predicted class, probabilities, gray levels and masks; mark its label.

    Parameters
    ----------
    info : EvaluationInfo
    evaluation : Evaluation
    dataset : Dataset or None
        None where it is no longer registered: then its label cannot be marked.
    row : int
        Row number in the prediction table of the evaluation.
    """
    record = evaluation.prediction_table.iloc[row]
    source, cache = DatasetImages(evaluation, dataset), thumbnails.get_shared_cache()
    box = read_box(record)
    crop = b""
    if box is None:
        whole = thumbnails.make_thumbnail(cache, source, record["sha256"])
        if whole is not None:
            show_image_grid([(whole, f"{record['file']}: no cell was found, or the image cannot be read")], "2fr 3fr")
    else:
        crop, field = thumbnails.make_cell_and_field(cache, source, record["sha256"], [box], 0)
        show_image_grid([(data_uri(crop, "png"), "Cell"), (data_uri(field), record["file"])], "2fr 3fr")
    _show_prediction(record)
    if record["prediction"]:
        probs = [float(record[PROB_PREFIX + name]) for name in evaluation.class_names]
        st.plotly_chart(
            plot_probabilities(evaluation.class_names, probs, record["prediction"]),
            config=NO_MODEBAR,
            key="evaluation-probabilities",
            alt="Probability of each class",
        )
    if box is not None and st.toggle(
        "Why this class?", key="evaluation-why", help="Shows where the model looked in this cell."
    ):
        with show_errors():
            _show_why(info, source, record, box)
    if dataset is not None:
        with show_errors():
            _ask_label_error(dataset, record, evaluation.class_names)
    if crop:
        _show_gray_levels(read_rgb(crop))


def _show_why(info: EvaluationInfo, source: DatasetImages, record: pd.Series, box: Box) -> None:
    """Show where the model looked."""
    model = get_evaluated_model(info)
    sha256, key = record["sha256"], f"evaluation-why-{record['file']}"
    show_explanation(model, sha256, lambda: source.get(sha256), box, record["prediction"], record["label"], key=key)


def _show_prediction(record: pd.Series) -> None:
    label = theme.format_label(record["label"])
    if not record["prediction"]:
        st.markdown(f"True class **{escape_md(label)}**, no prediction.")
    elif record["label"] == record["prediction"]:
        style = theme.STATUS_STYLES[record["status"]]
        st.markdown(f"**{escape_md(label)}**, correct · {style.sign} {style.word}", help=style.meaning)
    else:
        style = theme.STATUS_STYLES[record["status"]]
        prediction = theme.format_label(record["prediction"])
        st.markdown(
            f"Predicted **{escape_md(prediction)}**, true class **{escape_md(label)}** · {style.sign} {style.word}",
            help=style.meaning,
        )
    if record["leak"]:
        st.caption(f":red[{_LEAK_WORDS[record['leak']]}]" if record["leak"] != CHOSEN_ON else _LEAK_WORDS[CHOSEN_ON])


def _ask_label_error(dataset: Dataset, record: pd.Series, class_names: Sequence[str]) -> None:
    """Offer to mark the label as an error, or to remove the mark."""
    mark = read_label_errors(dataset).get(record["file"])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if mark is not None:
            suggested = f", correct class {theme.format_label(mark.suggested)}" if mark.suggested else ""
            st.caption(
                f"Marked as label error{escape_md(suggested)}, by {escape_md(mark.who)}, {format_local_time(mark.when)}."
            )
            st.button(
                "Remove mark",
                icon=":material/undo:",
                key="evaluation-unmark",
                on_click=lambda: unmark_label_error(dataset, record["file"]),
            )
            return
        others = ["", *(name for name in class_names if name != record["label"])]
        preset = others.index(record["prediction"]) if record["prediction"] in others else 0
        suggested = st.selectbox(
            "Correct class",
            others,
            preset,
            format_func=lambda name: theme.format_label(name) if name else "not stated",
            key=f"evaluation-suggested-{record['file']}",
            width=230,
        )
        st.button(
            "Mark as label error",
            icon=":material/edit_off:",
            key="evaluation-mark",
            on_click=lambda: mark_label_error(
                dataset, record["file"], record["label"], suggested, state.get_initials()
            ),
        )


def _show_gray_levels(rgb: npt.NDArray[np.uint8]) -> None:
    with st.expander("Gray levels and masks", icon=":material/bar_chart:"):
        otsu = find_otsu_threshold(convert_to_gray(rgb), ignore_black=True)
        st.plotly_chart(
            plot_gray_histogram(compute_gray_histogram(rgb, ignore_black=True), otsu, otsu),
            config=NO_MODEBAR,
            key="evaluation-histogram",
            alt="Histogram of gray levels with Otsu's threshold",
        )
        masks = mask_by_otsu(rgb, ignore_black=True)
        shown = [(data_uri(encode_png(render_mask(mask)), "png"), f"Otsu, {name}") for name, mask in masks.items()]
        show_image_grid(shown, f"repeat({len(shown)}, 1fr)")
