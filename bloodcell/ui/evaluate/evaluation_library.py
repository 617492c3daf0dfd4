"""The evaluations of the workspace: choose one, its head with the word on leaks, and what can be done with it."""

from collections import Counter

import pandas as pd
import streamlit as st

from bloodcell.core.csv_text import csv_bytes
from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.label_errors import label_errors, label_errors_csv
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.evaluation.evaluation_folder import Evaluation, read_evaluation
from bloodcell.evaluation.leak_check import LeakFound
from bloodcell.evaluation.library import EvaluationInfo, keep_evaluation, list_evaluations, remove_evaluation
from bloodcell.evaluation.subset import without
from bloodcell.model_store.folder import ModelInfo, get_model
from bloodcell.reports.evaluation_words import judged_words, remarks
from bloodcell.ui.evaluate import report_download
from bloodcell.ui.shared.cache import kept
from bloodcell.ui.shared.text import counted, local_time, plain

PARAM, CHOSEN = "evaluation", "evaluation-chosen"


def choose() -> EvaluationInfo | None:
    """Ask for an evaluation, which the address may name; None where there is none yet."""
    by_name = {one.name: one for one in list_evaluations(load_settings())}
    if not by_name:
        return None
    # Not bound to the address by Streamlit: that would write the words there, and a link knows the name alone.
    if st.session_state.get(CHOSEN) not in by_name:  # deleted, or none was chosen yet
        asked = st.query_params.get(PARAM, "")
        st.session_state[CHOSEN] = asked if asked in by_name else next(iter(by_name))
    words = {name: words_of(one) for name, one in by_name.items()}
    often = Counter(words.values())
    chosen = st.selectbox(
        "Evaluation",
        list(by_name),
        format_func=lambda name: words[name] if often[words[name]] == 1 else f"{words[name]}, {name}",
        key=CHOSEN,
    )
    st.query_params[PARAM] = chosen
    return by_name[chosen]


def open_evaluation(name: str) -> None:
    """Open an evaluation in this session; the address follows."""
    st.session_state[CHOSEN] = name


def words_of(info: EvaluationInfo) -> str:
    """An evaluation as one chooses among them."""
    left = len(info.protocol["left_out_marked"])
    marked = f", without {counted(left, 'label error')}" if left else ""
    return f"{info.protocol['title']}{marked} ({local_time(info.protocol['created'])})"


def answers_of(info: EvaluationInfo) -> Evaluation:
    """The evaluation with its answers, read from the disk once."""
    return kept(("evaluation", info.name, info.protocol["created"]), lambda: read_evaluation(info.folder))


def dataset_of(info: EvaluationInfo) -> Dataset | None:
    """The registered dataset that was judged; None where it is no longer registered."""
    try:
        return get_dataset(info.protocol["dataset_id"], load_settings())
    except DatasetError:
        return None


def judged_model(info: EvaluationInfo) -> ModelInfo:
    """The model that was judged; ModelError if it is gone, or is another one by now."""
    model = get_model(info.protocol["model"], load_settings())
    if model.sha256 != info.protocol["model_sha256"]:
        raise ModelError(
            f"The model {model.name} on the shelf is no longer the one that was judged, so its answers cannot be explained."
        )
    return model


def header(info: EvaluationInfo) -> None:
    """Say first what the model has seen of the pictures, then what was judged, and the main figures."""
    _say_leaks(LeakFound.from_json(info.protocol["leak"]))
    protocol, report = info.protocol, info.report
    st.markdown(
        f"**{plain(protocol['model'])}** on **{plain(judged_words(protocol))}** · "
        f"{counted(report['images'], 'picture')} of {counted(report['source_cells'], 'source cell')}, which tell as much as "
        f"**{report['effective_cells']:,.0f}** independent cells",
        help="Copies of one cell say nothing new. So many cells, each photographed once, would tell as much as these "
        "pictures; the intervals count each source cell once.",
    )
    _main_figures(report)
    said = remarks(protocol, report)
    if said:
        st.caption(plain(" ".join(said)))
    _actions(info)


def _say_leaks(leak: LeakFound) -> None:
    first, *others = leak.sentences()
    if leak.leaking:
        st.error(plain(first), icon=":material/warning:")
    elif not leak.is_known:
        st.warning(plain(first), icon=":material/help:")
    else:
        others = [first, *others]
    if others:
        st.caption(plain(" ".join(others)))


_SHOWN = {
    "accuracy": ("Right", "Share of all pictures that the model names as they are labelled."),
    "balanced_accuracy": (
        "Right, classes equal",
        "Mean of the recalls, so that a rare class counts as much as a common one.",
    ),
    "held_back": ("Held back", "Share of the pictures that are not Confident: a person has to look at them."),
    "confident_right": (
        "Right where confident",
        "Share of the Confident pictures that are named as they are labelled.",
    ),
    "ece": ("Calibration error", "Mean gap between how sure the model says it is and how often it is right."),
}


def _main_figures(report: dict) -> None:
    for column, (name, (words, help_text)) in zip(st.columns(len(_SHOWN)), _SHOWN.items(), strict=True):
        one = report["figures"][name]
        value = "-" if one["value"] is None else f"{100 * one['value']:.1f} %"
        column.metric(words, value, help=help_text)
        if one["interval"]:
            low, high = one["interval"]
            column.caption(f"{100 * low:.1f} to {100 * high:.1f} %")


def _actions(info: EvaluationInfo) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Answers as CSV",
            lambda: _answers_csv(answers_of(info)),
            f"{info.name}.csv",
            "text/csv",
            icon=":material/download:",
            key="evaluation-csv",
            on_click="ignore",
        )
        report_download.offer(info)
        with st.popover("Delete", icon=":material/delete:", key="evaluation-delete"):
            st.write("The answers and figures of this evaluation are deleted. Model and pictures stay.")
            if st.button("Delete it", type="primary", key="evaluation-delete-sure"):
                remove_evaluation(info)
                st.session_state.pop(CHOSEN, None)
                st.query_params.pop(PARAM, None)
                st.rerun()


def show_marks(info: EvaluationInfo, dataset: Dataset) -> None:
    """Say how many labels of the dataset are marked as wrong; offer them as a file, and figures without them."""
    marks = label_errors(dataset)
    if not marks:
        return
    mine = set(marks) & set(answers_of(info).answers["file"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"✎ {counted(len(marks), 'label error')} marked")
        st.download_button(
            "As CSV",
            label_errors_csv(dataset),
            f"{info.protocol['dataset']} label errors.csv",
            "text/csv",
            icon=":material/download:",
            key="evaluation-errors-csv",
            on_click="ignore",
        )
        if mine and st.button(
            f"Evaluate without {'it' if len(mine) == 1 else f'these {len(mine)}'}",
            icon=":material/rule:",
            key="evaluation-without",
        ):
            _keep_without(info, mine)


def _keep_without(info: EvaluationInfo, files: set[str]) -> None:
    settings = load_settings()
    with st.spinner("Working out the figures …"):
        found = without(answers_of(info), files)
        name = keep_evaluation(
            found, settings.evaluations_dir / f".{info.name}.unfinished", f"{info.name}-without", settings
        )
    st.session_state[_NEXT] = name
    st.rerun()


_NEXT = "evaluation-next"


def take_next() -> None:
    """Open what the last run made; before the widget that shows it is drawn."""
    name = st.session_state.pop(_NEXT, None)
    if name is not None:
        open_evaluation(name)


def open_next(name: str) -> None:
    """Open an evaluation in the next run."""
    st.session_state[_NEXT] = name


def _answers_csv(found: Evaluation) -> bytes:
    table: pd.DataFrame = found.answers
    return csv_bytes(tuple(table.columns), table.itertuples(index=False, name=None), bom=True)
