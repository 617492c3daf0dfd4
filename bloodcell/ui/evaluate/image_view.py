"""Pictures of a judged dataset: small ones to pick from, and one opened with all that the model said of it."""

from collections.abc import Sequence

import numpy as np
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
from bloodcell.plots.histogram import plot_gray_histogram
from bloodcell.ui.evaluate.evaluation_library import get_evaluated_model
from bloodcell.ui.shared import state, thumbnails
from bloodcell.ui.shared.explanation_view import show_explanation
from bloodcell.ui.shared.image_grid import NO_MODEBAR, data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md, format_local_time, show_errors
from bloodcell.ui.shared.tiles import Tile

WRONG_COLOUR, CORRECT_COLOUR = "#c0392b", "#00725a"
_LEAK_WORDS = {
    TRAINED_ON: "The model learned from this very picture.",
    SAME_CELL: "The model learned from another picture of this cell.",
    NEAR_COPY: "The model learned from a near copy of this picture.",
    CHOSEN_ON: "Thresholds or the last epoch of the model were chosen on this picture.",
}


class DatasetImages:
    """The bytes of judged pictures by their SHA-256, for `ui.shared.thumbnails`."""

    def __init__(self, evaluation: Evaluation, dataset: Dataset | None) -> None:
        self._path = None if dataset is None else dataset.path
        self._files = dict(zip(evaluation.answers["sha256"], evaluation.answers["file"], strict=True))

    def get(self, sha256: str) -> bytes:
        """The bytes of a picture; StoreError where the dataset is gone, DatasetError where the picture is."""
        if self._path is None:
            raise StoreError("The dataset is no longer registered, so its pictures cannot be shown.")
        with Contents(self._path) as contents:
            return contents.read(self._files[sha256])


def make_tiles(evaluation: Evaluation, source: DatasetImages, rows: np.ndarray, dataset: Dataset | None) -> list[Tile]:
    """Small pictures of some rows, with answer, label and how sure the model was."""
    table = evaluation.answers.iloc[rows]
    cache = thumbnails.get_shared_cache()
    wanted = [(one.sha256, read_box(one)) for one in table.itertuples()]
    crops, problems = thumbnails.make_tile_crops(cache, source, [(sha, box) for sha, box in wanted if box is not None])
    for problem in sorted(set(problems))[:1]:
        st.warning(escape_md(problem), icon=":material/broken_image:")
    cut = iter(crops)
    shown = [
        next(cut) if box is not None else thumbnails.make_thumbnail(cache, source, sha) or "" for sha, box in wanted
    ]
    marks = read_label_errors(dataset) if dataset is not None else {}
    return [
        Tile(int(row), uri, *_describe_tile(one, evaluation.class_names), mark="✎" if one["file"] in marks else "")
        for row, uri, (_, one) in zip(rows, shown, table.iterrows(), strict=True)
    ]


def _describe_tile(one: pd.Series, class_names: Sequence[str]) -> tuple[str, str, str]:
    is_correct = one["label"] == one["prediction"]
    confidence = max(one[PROB_PREFIX + name] for name in class_names)
    prediction = theme.format_label(one["prediction"]) if one["prediction"] else "No answer"
    line = f"{prediction} {100 * confidence:.0f} %" if one["prediction"] else prediction
    more = "right" if is_correct else f"is {theme.format_label(one['label']).lower()}"
    return line, more, CORRECT_COLOUR if is_correct else WRONG_COLOUR


def show_image(info: EvaluationInfo, evaluation: Evaluation, dataset: Dataset | None, row: int) -> None:
    """Show one picture: close up and whole, label and answer, probabilities, gray levels and masks; mark its label."""
    one = evaluation.answers.iloc[row]
    source, cache = DatasetImages(evaluation, dataset), thumbnails.get_shared_cache()
    box = read_box(one)
    crop = b""
    if box is None:
        whole = thumbnails.make_thumbnail(cache, source, one["sha256"])
        if whole is not None:
            show_image_grid([(whole, f"{one['file']}: no cell was found, or it cannot be read")], "2fr 3fr")
    else:
        crop, field = thumbnails.make_cell_and_field(cache, source, one["sha256"], [box], 0)
        show_image_grid([(data_uri(crop, "png"), "The cell, close up"), (data_uri(field), one["file"])], "2fr 3fr")
    _show_prediction(one)
    if one["prediction"]:
        probs = [float(one[PROB_PREFIX + name]) for name in evaluation.class_names]
        st.plotly_chart(
            plot_probabilities(evaluation.class_names, probs, one["prediction"]),
            config=NO_MODEBAR,
            key="evaluation-probabilities",
            alt="Probability of each class",
        )
    if box is not None and st.toggle(
        "Why this class?", key="evaluation-why", help="Where the model looked at this cell."
    ):
        with show_errors():
            _show_why(info, source, one, box)
    if dataset is not None:
        with show_errors():
            _ask_label_error(dataset, one, evaluation.class_names)
    if crop:
        _show_gray_levels(read_rgb(crop))


def _show_why(info: EvaluationInfo, source: DatasetImages, one: pd.Series, box: Box) -> None:
    """Show where the model looked."""
    model = get_evaluated_model(info)
    sha256, key = one["sha256"], f"evaluation-why-{one['file']}"
    show_explanation(model, sha256, lambda: source.get(sha256), box, one["prediction"], one["label"], key=key)


def _show_prediction(one: pd.Series) -> None:
    label = theme.format_label(one["label"])
    if not one["prediction"]:
        st.markdown(f"Labelled **{escape_md(label)}**, the model gave no answer.")
    elif one["label"] == one["prediction"]:
        style = theme.STATUS_STYLES[one["status"]]
        st.markdown(f"**{escape_md(label)}**, as labelled · {style.sign} {style.word}", help=style.meaning)
    else:
        style = theme.STATUS_STYLES[one["status"]]
        prediction = theme.format_label(one["prediction"])
        st.markdown(
            f"Called **{escape_md(prediction)}**, labelled **{escape_md(label)}** · {style.sign} {style.word}",
            help=style.meaning,
        )
    if one["leak"]:
        st.caption(f":red[{_LEAK_WORDS[one['leak']]}]" if one["leak"] != CHOSEN_ON else _LEAK_WORDS[CHOSEN_ON])


def _ask_label_error(dataset: Dataset, one: pd.Series, class_names: Sequence[str]) -> None:
    """Mark the label as wrong, or take the mark back."""
    mark = read_label_errors(dataset).get(one["file"])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if mark is not None:
            right = f", rather {theme.format_label(mark.suggested).lower()}" if mark.suggested else ""
            st.caption(
                f"Marked as label error{escape_md(right)}, by {escape_md(mark.who)}, {format_local_time(mark.when)}."
            )
            st.button(
                "Take back",
                icon=":material/undo:",
                key="evaluation-unmark",
                on_click=lambda: unmark_label_error(dataset, one["file"]),
            )
            return
        others = ["", *(name for name in class_names if name != one["label"])]
        preset = others.index(one["prediction"]) if one["prediction"] in others else 0
        suggested = st.selectbox(
            "The label is wrong, it is rather",
            others,
            preset,
            format_func=lambda name: theme.format_label(name) if name else "not said",
            key=f"evaluation-suggested-{one['file']}",
            width=230,
        )
        st.button(
            "Mark as label error",
            icon=":material/edit_off:",
            key="evaluation-mark",
            on_click=lambda: mark_label_error(dataset, one["file"], one["label"], suggested, state.get_initials()),
        )


def _show_gray_levels(rgb: np.ndarray) -> None:
    with st.expander("Gray levels and masks", icon=":material/bar_chart:"):
        otsu = find_otsu_threshold(convert_to_gray(rgb), ignore_black=True)
        st.plotly_chart(
            plot_gray_histogram(compute_gray_histogram(rgb, ignore_black=True), otsu, otsu),
            config=NO_MODEBAR,
            key="evaluation-histogram",
            alt="Histogram of gray levels with Otsu's threshold",
        )
        masks = mask_by_otsu(rgb, ignore_black=True)
        shown = [(data_uri(encode_png(render_mask(one)), "png"), f"Otsu, {name}") for name, one in masks.items()]
        show_image_grid(shown, f"repeat({len(shown)}, 1fr)")
