"""Pictures of a judged dataset: small ones to pick from, and one opened with all that the model said of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.core.errors import StoreError
from bloodcell.datasets.catalog.label_errors import label_errors, mark_label_error, unmark_label_error
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.evaluation_folder import PROB, Evaluation, box_of
from bloodcell.evaluation.leak_check import CHOSEN_ON, LEARNED, NEAR_COPY, SAME_CELL
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.histogram import gray, gray_histogram
from bloodcell.imaging.otsu import otsu_masks, otsu_threshold
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.plots import theme
from bloodcell.plots.cell_images import mask_picture
from bloodcell.plots.cells import probabilities
from bloodcell.plots.histogram import gray_histogram as histogram_figure
from bloodcell.ui.evaluate.evaluation_library import judged_model
from bloodcell.ui.shared import state, thumbnails
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.explanation_view import show_explanation
from bloodcell.ui.shared.image_rows import NO_BAR, data_uri, show_figures
from bloodcell.ui.shared.text import local_time, plain
from bloodcell.ui.shared.tiles import Tile

WRONG_COLOUR, RIGHT_COLOUR = "#c0392b", "#00725a"
_LEAK_WORDS = {
    LEARNED: "The model learned from this very picture.",
    SAME_CELL: "The model learned from another picture of this cell.",
    NEAR_COPY: "The model learned from a near copy of this picture.",
    CHOSEN_ON: "Thresholds or the last epoch of the model were chosen on this picture.",
}


class DatasetPictures:
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


def tiles_of(evaluation: Evaluation, source: DatasetPictures, rows: np.ndarray, dataset: Dataset | None) -> list[Tile]:
    """Small pictures of some rows, with answer, label and how sure the model was."""
    table = evaluation.answers.iloc[rows]
    cache = thumbnails.shared_cache()
    wanted = [(one.sha256, box_of(one)) for one in table.itertuples()]
    crops, problems = thumbnails.tile_crops(cache, source, [(sha, box) for sha, box in wanted if box is not None])
    for problem in sorted(set(problems))[:1]:
        st.warning(plain(problem), icon=":material/broken_image:")
    cut = iter(crops)
    shown = [next(cut) if box is not None else thumbnails.thumbnail(cache, source, sha) or "" for sha, box in wanted]
    marks = label_errors(dataset) if dataset is not None else {}
    return [
        Tile(int(row), picture, *_lines(one, evaluation.class_names), mark="✎" if one["file"] in marks else "")
        for row, picture, (_, one) in zip(rows, shown, table.iterrows(), strict=True)
    ]


def _lines(one: pd.Series, class_names: Sequence[str]) -> tuple[str, str, str]:
    is_right = one["label"] == one["prediction"]
    sure = max(one[PROB + name] for name in class_names)
    answer = theme.label_words(one["prediction"]) if one["prediction"] else "No answer"
    line = f"{answer} {100 * sure:.0f} %" if one["prediction"] else answer
    more = "right" if is_right else f"is {theme.label_words(one['label']).lower()}"
    return line, more, RIGHT_COLOUR if is_right else WRONG_COLOUR


def show_picture(info: EvaluationInfo, evaluation: Evaluation, dataset: Dataset | None, row: int) -> None:
    """Show one picture: close up and whole, label and answer, probabilities, gray levels and masks; mark its label."""
    one = evaluation.answers.iloc[row]
    source, cache = DatasetPictures(evaluation, dataset), thumbnails.shared_cache()
    box = box_of(one)
    crop = b""
    if box is None:
        whole = thumbnails.thumbnail(cache, source, one["sha256"])
        if whole is not None:
            show_figures([(whole, f"{one['file']}: no cell was found, or it cannot be read")], "2fr 3fr")
    else:
        crop, field = thumbnails.cell_and_field(cache, source, one["sha256"], [box], 0)
        show_figures([(data_uri(crop, "png"), "The cell, close up"), (data_uri(field), one["file"])], "2fr 3fr")
    _say(one)
    if one["prediction"]:
        probs = [float(one[PROB + name]) for name in evaluation.class_names]
        st.plotly_chart(
            probabilities(evaluation.class_names, probs, one["prediction"]),
            config=NO_BAR,
            key="evaluation-probabilities",
            alt="Probability of each class",
        )
    if box is not None and st.toggle(
        "Why this class?", key="evaluation-why", help="Where the model looked at this cell."
    ):
        with show_errors():
            _why(info, source, one, box)
    if dataset is not None:
        with show_errors():
            _ask_mark(dataset, one, evaluation.class_names)
    if crop:
        _levels(read_rgb(crop))


def _why(info: EvaluationInfo, source: DatasetPictures, one: pd.Series, box: Box) -> None:
    """Show where the model looked."""
    model = judged_model(info)
    sha256, key = one["sha256"], f"evaluation-why-{one['file']}"
    show_explanation(model, sha256, lambda: source.get(sha256), box, one["prediction"], one["label"], key=key)


def _say(one: pd.Series) -> None:
    label = theme.label_words(one["label"])
    if not one["prediction"]:
        st.markdown(f"Labelled **{plain(label)}**, the model gave no answer.")
    elif one["label"] == one["prediction"]:
        look = theme.STATUS_LOOKS[one["status"]]
        st.markdown(f"**{plain(label)}**, as labelled · {look.sign} {look.word}", help=look.meaning)
    else:
        look = theme.STATUS_LOOKS[one["status"]]
        answer = theme.label_words(one["prediction"])
        st.markdown(
            f"Called **{plain(answer)}**, labelled **{plain(label)}** · {look.sign} {look.word}", help=look.meaning
        )
    if one["leak"]:
        st.caption(f":red[{_LEAK_WORDS[one['leak']]}]" if one["leak"] != CHOSEN_ON else _LEAK_WORDS[CHOSEN_ON])


def _ask_mark(dataset: Dataset, one: pd.Series, class_names: Sequence[str]) -> None:
    """Mark the label as wrong, or take the mark back."""
    mark = label_errors(dataset).get(one["file"])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if mark is not None:
            right = f", rather {theme.label_words(mark.suggested).lower()}" if mark.suggested else ""
            st.caption(f"Marked as label error{plain(right)}, by {plain(mark.who)}, {local_time(mark.when)}.")
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
            format_func=lambda name: theme.label_words(name) if name else "not said",
            key=f"evaluation-suggested-{one['file']}",
            width=230,
        )
        st.button(
            "Mark as label error",
            icon=":material/edit_off:",
            key="evaluation-mark",
            on_click=lambda: mark_label_error(dataset, one["file"], one["label"], suggested, state.who()),
        )


def _levels(rgb: np.ndarray) -> None:
    with st.expander("Gray levels and masks", icon=":material/bar_chart:"):
        otsu = otsu_threshold(gray(rgb), ignore_black=True)
        st.plotly_chart(
            histogram_figure(gray_histogram(rgb, ignore_black=True), otsu, otsu),
            config=NO_BAR,
            key="evaluation-histogram",
            alt="Histogram of gray levels with Otsu's threshold",
        )
        masks = otsu_masks(rgb, ignore_black=True)
        shown = [(data_uri(encode_png(mask_picture(one)), "png"), f"Otsu, {name}") for name, one in masks.items()]
        show_figures(shown, f"repeat({len(shown)}, 1fr)")
