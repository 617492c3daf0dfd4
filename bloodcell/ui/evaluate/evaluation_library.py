"""The evaluations of the workspace: choose one, see leaks and main metrics first, and download or delete it."""

from collections import Counter

import pandas as pd
import streamlit as st

from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.io import encode_csv
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.label_errors import encode_label_errors_csv, read_label_errors
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.evaluation.derived import exclude_images
from bloodcell.evaluation.evaluation_folder import Evaluation, read_evaluation
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.library import EvaluationInfo, list_evaluations, remove_evaluation, store_evaluation
from bloodcell.evaluation.metrics.report import EvaluationReport
from bloodcell.model_store.library import ModelInfo, get_model
from bloodcell.reports.evaluation_words import describe_dataset, list_remarks
from bloodcell.reports.numbers import format_count
from bloodcell.ui.evaluate import report_download
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.messages import escape_md, format_local_time

PARAM, CHOICE_KEY = "evaluation", "evaluation-chosen"


def choose_evaluation() -> EvaluationInfo | None:
    """Ask for an evaluation, which the address may name; None where there is none yet."""
    by_name = {info.name: info for info in list_evaluations(load_settings())}
    if not by_name:
        return None
    # Not bound to the address by Streamlit: that would write the title there, and a link has the name alone.
    if st.session_state.get(CHOICE_KEY) not in by_name:  # deleted, or none was chosen yet
        url_name = st.query_params.get(PARAM, "")
        st.session_state[CHOICE_KEY] = url_name if url_name in by_name else next(iter(by_name))
    titles = {name: describe_evaluation(info) for name, info in by_name.items()}
    n_same_title = Counter(titles.values())
    chosen = st.selectbox(
        "Evaluation",
        list(by_name),
        format_func=lambda name: titles[name] if n_same_title[titles[name]] == 1 else f"{titles[name]}, {name}",
        key=CHOICE_KEY,
    )
    st.query_params[PARAM] = chosen
    return by_name[chosen]


def open_evaluation(name: str) -> None:
    """Open an evaluation in this session; the address follows."""
    st.session_state[CHOICE_KEY] = name


def describe_evaluation(info: EvaluationInfo) -> str:
    """Describe an evaluation for the list to choose from: title, excluded label errors, date."""
    n_excluded = len(info.protocol.excluded_files)
    excluded = f", {format_count(n_excluded, 'label error')} excluded" if n_excluded else ""
    return f"{info.protocol.title}{excluded} ({format_local_time(info.protocol.created)})"


def load_evaluation(info: EvaluationInfo) -> Evaluation:
    """Return the evaluation with its predictions; read from the disk once."""
    return get_or_compute(("evaluation", info.name, info.protocol.created), lambda: read_evaluation(info.folder))


def find_dataset(info: EvaluationInfo) -> Dataset | None:
    """Return the dataset that was evaluated on; None where it is no longer registered."""
    try:
        return get_dataset(info.protocol.dataset_id, load_settings())
    except DatasetError:
        return None


def get_evaluated_model(info: EvaluationInfo) -> ModelInfo:
    """Return the model that was evaluated; ModelError if it is gone, or is another one by now."""
    model = get_model(info.protocol.model, load_settings())
    if model.sha256 != info.protocol.model_sha256:
        raise ModelError(
            f"The model {model.name} has been replaced since this evaluation, so its predictions cannot be explained."
        )
    return model


def show_header(info: EvaluationInfo) -> None:
    """Show first what the model has seen of the images, then what was evaluated, and the main metrics."""
    _show_leaks(info.protocol.leak)
    protocol, report = info.protocol, info.report
    st.markdown(
        f"**{escape_md(protocol.model)}** on **{escape_md(describe_dataset(protocol))}** · "
        f"{format_count(report.n_images, 'image')} of {format_count(report.n_source_cells, 'source cell')} · "
        f"effective sample size **{report.effective_sample_size:,.0f}**",
        help="Copies of one cell add no new information. The effective sample size is the number of independent cells "
        "that would be worth the same. Intervals count each source cell once.",
    )
    _show_main_metrics(report)
    remark_texts = list_remarks(protocol, report)
    if remark_texts:
        st.caption(escape_md(" ".join(remark_texts)))
    _show_actions(info)


def _show_leaks(leak: LeakSummary) -> None:
    first, *others = leak.describe()
    if leak.n_leaking:
        st.error(escape_md(first), icon=":material/warning:")
    elif not leak.is_known:
        st.warning(escape_md(first), icon=":material/help:")
    else:
        others = [first, *others]
    if others:
        st.caption(escape_md(" ".join(others)))


_MAIN_METRICS = {
    "accuracy": ("Accuracy", "Share of all images whose predicted class is the true class."),
    "balanced_accuracy": (
        "Balanced accuracy",
        "Mean recall over the classes, so that rare and common classes have the same weight.",
    ),
    "flagged_for_review": (
        "Flagged for review",
        "Share of images that are Check or Unfamiliar: a person has to look at them.",
    ),
    "confident_accuracy": (
        "Accuracy where confident",
        "Share of the Confident images whose predicted class is the true class.",
    ),
    "ece": ("Calibration error", "Mean gap between the confidence of the model and its accuracy."),
}


def _show_main_metrics(report: EvaluationReport) -> None:
    for column, (name, (title, help_text)) in zip(st.columns(len(_MAIN_METRICS)), _MAIN_METRICS.items(), strict=True):
        metric = report.metrics[name]
        value = "-" if metric.value is None else f"{100 * metric.value:.1f} %"
        column.metric(title, value, help=help_text)
        if metric.interval:
            low, high = metric.interval
            column.caption(f"{100 * low:.1f} to {100 * high:.1f} %")


def _show_actions(info: EvaluationInfo) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Predictions (CSV)",
            lambda: _write_predictions_csv(load_evaluation(info)),
            f"{info.name}.csv",
            "text/csv",
            icon=":material/download:",
            key="evaluation-csv",
            on_click="ignore",
        )
        report_download.offer_reports(info)
        with st.popover("Delete", icon=":material/delete:", key="evaluation-delete"):
            st.write("Deletes the predictions and metrics of this evaluation. The model and the images stay.")
            if st.button("Delete evaluation", type="primary", key="evaluation-delete-sure"):
                remove_evaluation(info)
                st.session_state.pop(CHOICE_KEY, None)
                st.query_params.pop(PARAM, None)
                st.rerun()


def show_label_errors(info: EvaluationInfo, dataset: Dataset) -> None:
    """Show how many label errors are marked in the dataset; offer them as a file, and an evaluation without them."""
    marks = read_label_errors(dataset)
    if not marks:
        return
    marked_files = set(marks) & set(load_evaluation(info).prediction_table["file"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"✎ {format_count(len(marks), 'label error')} marked")
        st.download_button(
            "Label errors (CSV)",
            encode_label_errors_csv(dataset),
            f"{info.protocol.dataset} label errors.csv",
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
    with st.spinner("Computing metrics …"):
        evaluation = exclude_images(load_evaluation(info), files)
        name = store_evaluation(
            evaluation, settings.evaluations_dir / f".{info.name}.unfinished", f"{info.name}-without", settings
        )
    st.session_state[_NEXT] = name
    st.rerun()


_NEXT = "evaluation-next"


def open_scheduled() -> None:
    """Open what the last run scheduled; call it before the widget that shows it is drawn."""
    name = st.session_state.pop(_NEXT, None)
    if name is not None:
        open_evaluation(name)


def schedule_opening(name: str) -> None:
    """Open an evaluation in the next run."""
    st.session_state[_NEXT] = name


def _write_predictions_csv(evaluation: Evaluation) -> bytes:
    table: pd.DataFrame = evaluation.prediction_table
    return encode_csv(tuple(table.columns), table.itertuples(index=False, name=None), bom=True)
