"""The confusion matrix and the pictures behind each of its cells: a click shows exactly those, one opens beside."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.evaluation.evaluation_folder import Evaluation, sureness
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.plots import theme
from bloodcell.plots.confusion import BY_ANSWER, BY_LABEL, COUNTS, confusion_matrix
from bloodcell.ui.evaluate.evaluation_library import answers_of, show_marks
from bloodcell.ui.evaluate.image_view import DatasetPictures, show_picture, tiles_of
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.image_rows import NO_BAR
from bloodcell.ui.shared.text import counted
from bloodcell.ui.shared.tiles import picked_in, tiles

A_PAGE = 36
ALL, WRONG, RIGHT = "all answers", "wrong answers", "right answers"
NO_ANSWER = "no answer"
SORTS = {"surest first": False, "least sure first": True}
_SHOWS = {COUNTS: "Counts", BY_LABEL: "Share of the label", BY_ANSWER: "Share of the answer"}


@dataclass(frozen=True)
class _Filter:
    """Which pictures are shown: label and answer ("" for any), which answers, statuses, probabilities, order."""

    label: str
    answer: str
    which: str
    statuses: tuple[str, ...]
    low: float
    high: float
    is_rising: bool


@st.fragment
def show(info: EvaluationInfo, dataset: Dataset | None) -> None:
    """Show matrix, filters, tiles and the opened picture; a click costs only this part of the page."""
    evaluation = answers_of(info)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _matrix(info)
        chosen = _ask_filter(evaluation)
        rows = chosen_rows(evaluation.answers, chosen)
        picked = _tiles(info, evaluation, dataset, rows)
    with right:
        if dataset is not None:
            with show_errors():
                show_marks(info, dataset)
        if picked is None:
            st.caption("No picture fits. A click into the matrix shows the pictures behind that number.")
            return
        with show_errors():
            show_picture(info, evaluation, dataset, picked)


def _matrix(info: EvaluationInfo) -> None:
    names = info.protocol["class_names"]
    shows = st.segmented_control(
        "Matrix",
        list(_SHOWS),
        format_func=_SHOWS.__getitem__,
        default=COUNTS,
        required=True,
        key="evaluation-shows",
        label_visibility="collapsed",
    )
    st.plotly_chart(
        confusion_matrix(info.report["confusion"], names, shows or COUNTS),
        config=NO_BAR,
        key=f"evaluation-matrix-{info.name}",
        on_select=lambda: _take_click(info),
        selection_mode="points",
        alt="Confusion matrix",
    )


def _take_click(info: EvaluationInfo) -> None:
    """Show the pictures of the cell of the matrix that was clicked."""
    points = st.session_state[f"evaluation-matrix-{info.name}"]["selection"]["points"]
    if not points:
        return
    row, column = points[0]["customdata"]
    names = info.protocol["class_names"]
    st.session_state["evaluation-label"] = names[row]
    st.session_state["evaluation-answer"] = names[column] if column < len(names) else NO_ANSWER
    st.session_state["evaluation-which"] = ALL
    st.session_state["evaluation-page"] = 1


def _ask_filter(evaluation: Evaluation) -> _Filter:
    names = evaluation.class_names
    st.session_state.setdefault("evaluation-which", WRONG)
    for key, known in (("evaluation-label", ("", *names)), ("evaluation-answer", ("", *names, NO_ANSWER))):
        if st.session_state.get(key, "") not in known:  # chosen for a model of other classes
            st.session_state[key] = ""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox("Label", ["", *names], format_func=_any_words, key="evaluation-label", width=122)
        answer = st.selectbox(
            "Answer", ["", *names, NO_ANSWER], format_func=_any_words, key="evaluation-answer", width=122
        )
        which = st.selectbox("Show", [WRONG, RIGHT, ALL], key="evaluation-which", width=122)
        order = st.selectbox("Order", list(SORTS), key="evaluation-order", width=122)
        with st.popover("More", icon=":material/filter_alt:", key="evaluation-more"):
            statuses = st.pills(
                "Status",
                CELL_STATUSES,
                selection_mode="multi",
                format_func=lambda name: f"{theme.STATUS_LOOKS[name].sign} {theme.STATUS_LOOKS[name].word}",
                key="evaluation-status",
            )
            low, high = st.slider("Probability of the answer", 0.0, 1.0, (0.0, 1.0), 0.01, key="evaluation-probability")
    return _Filter(label, answer, which, tuple(statuses), low, high, SORTS[order])


def _any_words(label: str) -> str:
    return "any" if not label else label if label == NO_ANSWER else theme.label_words(label)


def chosen_rows(answers: pd.DataFrame, chosen: _Filter) -> np.ndarray:
    """Rows of the pictures that fit a filter, in its order; ties in the order of the files."""
    label, answer = answers["label"].to_numpy(), answers["prediction"].to_numpy()
    sure = sureness(answers)
    fits = (sure >= chosen.low - 1e-9) & (sure <= chosen.high + 1e-9)
    if chosen.label:
        fits &= label == chosen.label
    if chosen.answer:
        fits &= answer == ("" if chosen.answer == NO_ANSWER else chosen.answer)
    if chosen.which != ALL:
        fits &= (label == answer) == (chosen.which == RIGHT)
    if chosen.statuses:
        fits &= answers["status"].isin(chosen.statuses).to_numpy()
    rows = np.flatnonzero(fits)
    return rows[np.argsort(sure[rows] if chosen.is_rising else -sure[rows], kind="stable")]


def _tiles(info: EvaluationInfo, evaluation: Evaluation, dataset: Dataset | None, rows: np.ndarray) -> int | None:
    """Show one page of the pictures; the row of the one that is open."""
    pages = max(1, -(-len(rows) // A_PAGE))
    page = min(max(1, int(st.session_state.get("evaluation-page", 1))), pages)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{counted(len(rows), 'picture')}**" + (f" · page {page} of {pages}" if pages > 1 else ""))
        if pages > 1:
            for step, icon, key in ((-1, "left", "evaluation-back"), (1, "right", "evaluation-on")):
                target = page + step
                st.button(
                    "",
                    icon=f":material/chevron_{icon}:",
                    key=key,
                    disabled=not 1 <= target <= pages,
                    on_click=_turn,
                    args=(target,),
                )
    if not len(rows):
        return None
    shown = rows[(page - 1) * A_PAGE : page * A_PAGE]
    key = f"evaluation-tiles-{info.name}"
    found = picked_in(key)
    picked = found if found in shown else int(shown[0])
    with show_errors():
        tiles(key, tiles_of(evaluation, DatasetPictures(evaluation, dataset), shown, dataset), picked, lambda: None)
    return picked


def _turn(page: int) -> None:
    st.session_state["evaluation-page"] = page
