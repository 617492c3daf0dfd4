"""The evaluations of the workspace: choose one, its head with the word on leaks, and what can be done with it."""

from collections import Counter

import pandas as pd
import streamlit as st

from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.io import encode_csv
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.label_errors import encode_label_errors_csv, read_label_errors
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.evaluation.evaluation_folder import Evaluation, read_evaluation
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.library import EvaluationInfo, list_evaluations, remove_evaluation, store_evaluation
from bloodcell.evaluation.subset import exclude_images
from bloodcell.model_store.folder import ModelInfo, get_model
from bloodcell.reports.evaluation_words import describe_dataset, list_remarks
from bloodcell.reports.numbers import format_count
from bloodcell.ui.evaluate import report_download
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.messages import escape_md, format_local_time

PARAM, CHOICE_KEY = "evaluation", "evaluation-chosen"


def choose() -> EvaluationInfo | None:
    """Ask for an evaluation, which the address may name; None where there is none yet."""
    by_name = {one.name: one for one in list_evaluations(load_settings())}
    if not by_name:
        return None
    # Not bound to the address by Streamlit: that would write the words there, and a link knows the name alone.
    if st.session_state.get(CHOICE_KEY) not in by_name:  # deleted, or none was chosen yet
        url_name = st.query_params.get(PARAM, "")
        st.session_state[CHOICE_KEY] = url_name if url_name in by_name else next(iter(by_name))
    words = {name: describe_evaluation(one) for name, one in by_name.items()}
    n_same_title = Counter(words.values())
    chosen = st.selectbox(
        "Evaluation",
        list(by_name),
        format_func=lambda name: words[name] if n_same_title[words[name]] == 1 else f"{words[name]}, {name}",
        key=CHOICE_KEY,
    )
    st.query_params[PARAM] = chosen
    return by_name[chosen]


def open_evaluation(name: str) -> None:
    """Open an evaluation in this session; the address follows."""
    st.session_state[CHOICE_KEY] = name


def describe_evaluation(info: EvaluationInfo) -> str:
    """An evaluation as one chooses among them."""
    left = len(info.protocol["left_out_marked"])
    marked = f", without {format_count(left, 'label error')}" if left else ""
    return f"{info.protocol['title']}{marked} ({format_local_time(info.protocol['created'])})"


def load_evaluation(info: EvaluationInfo) -> Evaluation:
    """The evaluation with its answers, read from the disk once."""
    return get_or_compute(("evaluation", info.name, info.protocol["created"]), lambda: read_evaluation(info.folder))


def find_dataset(info: EvaluationInfo) -> Dataset | None:
    """The registered dataset that was judged; None where it is no longer registered."""
    try:
        return get_dataset(info.protocol["dataset_id"], load_settings())
    except DatasetError:
        return None


def get_evaluated_model(info: EvaluationInfo) -> ModelInfo:
    """The model that was judged; ModelError if it is gone, or is another one by now."""
    model = get_model(info.protocol["model"], load_settings())
    if model.sha256 != info.protocol["model_sha256"]:
        raise ModelError(
            f"The model {model.name} on the shelf is no longer the one that was judged, so its answers cannot be explained."
        )
    return model


def show_header(info: EvaluationInfo) -> None:
    """Say first what the model has seen of the pictures, then what was judged, and the main figures."""
    _show_leaks(LeakSummary.from_json(info.protocol["leak"]))
    protocol, report = info.protocol, info.report
    st.markdown(
        f"**{escape_md(protocol['model'])}** on **{escape_md(describe_dataset(protocol))}** · "
        f"{format_count(report['images'], 'picture')} of {format_count(report['source_cells'], 'source cell')}, which tell as much as "
        f"**{report['effective_cells']:,.0f}** independent cells",
        help="Copies of one cell say nothing new. So many cells, each photographed once, would tell as much as these "
        "pictures; the intervals count each source cell once.",
    )
    _show_main_metrics(report)
    remark_texts = list_remarks(protocol, report)
    if remark_texts:
        st.caption(escape_md(" ".join(remark_texts)))
    _show_actions(info)


def _show_leaks(leak: LeakSummary) -> None:
    first, *others = leak.describe()
    if leak.leaking:
        st.error(escape_md(first), icon=":material/warning:")
    elif not leak.is_known:
        st.warning(escape_md(first), icon=":material/help:")
    else:
        others = [first, *others]
    if others:
        st.caption(escape_md(" ".join(others)))


_MAIN_METRICS = {
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


def _show_main_metrics(report: dict) -> None:
    for column, (name, (words, help_text)) in zip(st.columns(len(_MAIN_METRICS)), _MAIN_METRICS.items(), strict=True):
        one = report["figures"][name]
        value = "-" if one["value"] is None else f"{100 * one['value']:.1f} %"
        column.metric(words, value, help=help_text)
        if one["interval"]:
            low, high = one["interval"]
            column.caption(f"{100 * low:.1f} to {100 * high:.1f} %")


def _show_actions(info: EvaluationInfo) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Answers as CSV",
            lambda: _write_predictions_csv(load_evaluation(info)),
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
                st.session_state.pop(CHOICE_KEY, None)
                st.query_params.pop(PARAM, None)
                st.rerun()


def show_label_errors(info: EvaluationInfo, dataset: Dataset) -> None:
    """Say how many labels of the dataset are marked as wrong; offer them as a file, and figures without them."""
    marks = read_label_errors(dataset)
    if not marks:
        return
    marked_files = set(marks) & set(load_evaluation(info).answers["file"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"✎ {format_count(len(marks), 'label error')} marked")
        st.download_button(
            "As CSV",
            encode_label_errors_csv(dataset),
            f"{info.protocol['dataset']} label errors.csv",
            "text/csv",
            icon=":material/download:",
            key="evaluation-errors-csv",
            on_click="ignore",
        )
        if marked_files and st.button(
            f"Evaluate without {'it' if len(marked_files) == 1 else f'these {len(marked_files)}'}",
            icon=":material/rule:",
            key="evaluation-without",
        ):
            _store_without(info, marked_files)


def _store_without(info: EvaluationInfo, files: set[str]) -> None:
    settings = load_settings()
    with st.spinner("Working out the figures …"):
        evaluation = exclude_images(load_evaluation(info), files)
        name = store_evaluation(
            evaluation, settings.evaluations_dir / f".{info.name}.unfinished", f"{info.name}-without", settings
        )
    st.session_state[_NEXT] = name
    st.rerun()


_NEXT = "evaluation-next"


def open_scheduled() -> None:
    """Open what the last run made; before the widget that shows it is drawn."""
    name = st.session_state.pop(_NEXT, None)
    if name is not None:
        open_evaluation(name)


def schedule_opening(name: str) -> None:
    """Open an evaluation in the next run."""
    st.session_state[_NEXT] = name


def _write_predictions_csv(evaluation: Evaluation) -> bytes:
    table: pd.DataFrame = evaluation.answers
    return encode_csv(tuple(table.columns), table.itertuples(index=False, name=None), bom=True)
