"""The confusion matrix and the images behind each of its cells: a click shows them, and one opens beside."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.evaluation.evaluation_folder import Evaluation, max_probabilities
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.plots import theme
from bloodcell.plots.confusion import COLUMN_NORMALISED, COUNTS, ROW_NORMALISED, plot_confusion_matrix
from bloodcell.reports.numbers import format_count
from bloodcell.ui.evaluate.evaluation_library import load_evaluation, show_label_errors
from bloodcell.ui.evaluate.image_view import DatasetImages, make_tiles, show_image
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import show_errors
from bloodcell.ui.shared.tiles import get_picked_id, show_tiles

IMAGES_PER_PAGE = 36
ALL, INCORRECT, CORRECT = "all", "incorrect", "correct"
NO_PREDICTION = "no prediction"
ORDERS = {"highest confidence first": False, "lowest confidence first": True}  # words -> whether confidence ascends
_NORMALISATIONS = {
    COUNTS: "Counts",
    ROW_NORMALISED: "Row-normalised (recall)",
    COLUMN_NORMALISED: "Column-normalised (precision)",
}


@dataclass(frozen=True)
class _Filter:
    """Which images are shown, and in which order.

    Attributes
    ----------
    label, prediction : str
        True and predicted class; "" for any. `NO_PREDICTION` for images without a prediction.
    which : str
        `ALL`, `INCORRECT` or `CORRECT`.
    statuses : tuple of str
        Empty for any.
    low, high : float
        Bounds of the probability of the predicted class, included.
    is_ascending : bool
        Whether the lowest confidence comes first.
    """

    label: str
    prediction: str
    which: str
    statuses: tuple[str, ...]
    low: float
    high: float
    is_ascending: bool


@st.fragment
def show(info: EvaluationInfo, dataset: Dataset | None) -> None:
    """Show matrix, filters, tiles and the open image; a click reruns only this part of the page.

    Parameters
    ----------
    info : EvaluationInfo
    dataset : Dataset or None
        None where it is no longer registered: then no image is shown, and no label error can be marked.
    """
    evaluation = load_evaluation(info)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _show_matrix(info)
        chosen = _ask_filter(evaluation)
        rows = select_rows(evaluation.prediction_table, chosen)
        picked = _show_tile_page(info, evaluation, dataset, rows)
    with right:
        if dataset is not None:
            with show_errors():
                show_label_errors(info, dataset)
        if picked is None:
            st.caption("No images match. Click a cell of the matrix to see the images behind its number.")
            return
        with show_errors():
            show_image(info, evaluation, dataset, picked)


def _show_matrix(info: EvaluationInfo) -> None:
    names = info.protocol.class_names
    normalisation = st.segmented_control(
        "Matrix",
        list(_NORMALISATIONS),
        format_func=_NORMALISATIONS.__getitem__,
        default=COUNTS,
        required=True,
        key="evaluation-shows",
        label_visibility="collapsed",
    )
    st.plotly_chart(
        plot_confusion_matrix(info.report.confusion, names, normalisation or COUNTS),
        config=NO_MODEBAR,
        key=f"evaluation-matrix-{info.name}",
        on_select=lambda: _apply_click(info),
        selection_mode="points",
        alt="Confusion matrix",
    )


def _apply_click(info: EvaluationInfo) -> None:
    """Show the images of the cell of the matrix that was clicked."""
    points = st.session_state[f"evaluation-matrix-{info.name}"]["selection"]["points"]
    if not points:
        return
    row, column = points[0]["customdata"]
    names = info.protocol.class_names
    st.session_state["evaluation-label"] = names[row]
    st.session_state["evaluation-answer"] = names[column] if column < len(names) else NO_PREDICTION
    st.session_state["evaluation-which"] = ALL
    st.session_state["evaluation-page"] = 1


def _ask_filter(evaluation: Evaluation) -> _Filter:
    names = evaluation.class_names
    st.session_state.setdefault("evaluation-which", INCORRECT)
    for key, options in (("evaluation-label", ("", *names)), ("evaluation-answer", ("", *names, NO_PREDICTION))):
        if st.session_state.get(key, "") not in options:  # chosen for a model of other classes
            st.session_state[key] = ""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox("True class", ["", *names], format_func=_format_option, key="evaluation-label", width=122)
        prediction = st.selectbox(
            "Predicted class",
            ["", *names, NO_PREDICTION],
            format_func=_format_option,
            key="evaluation-answer",
            width=122,
        )
        which = st.selectbox("Show", [INCORRECT, CORRECT, ALL], key="evaluation-which", width=122)
        order = st.selectbox("Order", list(ORDERS), key="evaluation-order", width=204)
        with st.popover("More filters", icon=":material/filter_alt:", key="evaluation-more"):
            statuses = st.pills(
                "Status",
                CELL_STATUSES,
                selection_mode="multi",
                format_func=lambda name: f"{theme.STATUS_STYLES[name].sign} {theme.STATUS_STYLES[name].word}",
                key="evaluation-status",
            )
            low, high = st.slider(
                "Probability of the predicted class", 0.0, 1.0, (0.0, 1.0), 0.01, key="evaluation-probability"
            )
    return _Filter(label, prediction, which, tuple(statuses), low, high, ORDERS[order])


def _format_option(label: str) -> str:
    return "any" if not label else label if label == NO_PREDICTION else theme.format_label(label)


def select_rows(table: pd.DataFrame, chosen: _Filter) -> npt.NDArray[np.int_]:
    """Select the rows that fit a filter, in its order.

    Parameters
    ----------
    table : DataFrame
        The predictions of an evaluation: label, prediction, status and prob_* of every image.
    chosen : _Filter

    Returns
    -------
    ndarray of int, shape (N,)
        Row numbers; rows of equal confidence in the order of the table.
    """
    label, prediction = table["label"].to_numpy(), table["prediction"].to_numpy()
    confidence = max_probabilities(table)
    fits = (confidence >= chosen.low - 1e-9) & (confidence <= chosen.high + 1e-9)
    if chosen.label:
        fits &= label == chosen.label
    if chosen.prediction:
        fits &= prediction == ("" if chosen.prediction == NO_PREDICTION else chosen.prediction)
    if chosen.which != ALL:
        fits &= (label == prediction) == (chosen.which == CORRECT)
    if chosen.statuses:
        fits &= table["status"].isin(chosen.statuses).to_numpy()
    rows = np.flatnonzero(fits)
    return rows[np.argsort(confidence[rows] if chosen.is_ascending else -confidence[rows], kind="stable")]


def _show_tile_page(
    info: EvaluationInfo, evaluation: Evaluation, dataset: Dataset | None, rows: npt.NDArray[np.int_]
) -> int | None:
    """Show one page of the images; return the row of the open one."""
    pages = max(1, -(-len(rows) // IMAGES_PER_PAGE))
    page = min(max(1, int(st.session_state.get("evaluation-page", 1))), pages)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{format_count(len(rows), 'image')}**" + (f" · page {page} of {pages}" if pages > 1 else ""))
        if pages > 1:
            for step, icon, key in ((-1, "left", "evaluation-back"), (1, "right", "evaluation-on")):
                target = page + step
                st.button(
                    "",
                    icon=f":material/chevron_{icon}:",
                    key=key,
                    disabled=not 1 <= target <= pages,
                    on_click=_turn_page,
                    args=(target,),
                )
    if not len(rows):
        return None
    shown = rows[(page - 1) * IMAGES_PER_PAGE : page * IMAGES_PER_PAGE]
    key = f"evaluation-tiles-{info.name}"
    last_picked = get_picked_id(key)
    picked = last_picked if last_picked in shown else int(shown[0])
    with show_errors():
        show_tiles(
            key, make_tiles(evaluation, DatasetImages(evaluation, dataset), shown, dataset), picked, lambda: None
        )
    return picked


def _turn_page(page: int) -> None:
    st.session_state["evaluation-page"] = page
