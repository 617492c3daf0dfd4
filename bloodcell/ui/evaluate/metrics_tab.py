"""The metrics of an evaluation: each with its interval over source cells and, in grey, the one over single images."""

import pandas as pd
import streamlit as st

from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.plots.evaluation import plot_metric_intervals, plot_precision_recall_curves, plot_roc_curves
from bloodcell.reports import evaluation_words as words
from bloodcell.ui.evaluate.evaluation_library import load_evaluation
from bloodcell.ui.shared.image_grid import NO_MODEBAR


def show(info: EvaluationInfo) -> None:
    """Show the chart of intervals, the tables of all metrics and of each class, and the curves."""
    report = info.report
    chart, table = st.columns([5, 6], gap="medium")
    with chart:
        st.plotly_chart(
            plot_metric_intervals(words.select_main_metrics(report)),
            config=NO_MODEBAR,
            key="evaluation-intervals",
            alt="Accuracy and recall of each class with intervals",
        )
    with table:
        st.markdown("**All metrics**", help=words.INTERVALS_NOTE)
        metrics = pd.DataFrame(words.format_metric_rows(report), columns=list(words.METRICS_HEADER))
        grey = metrics.style.map(lambda _: "color: #9a97a5", subset=[words.METRICS_HEADER[-1]])
        st.dataframe(grey, hide_index=True, key="evaluation-figures", height=420)
    st.markdown("**Each class**", help=words.INTERVALS_NOTE)
    classes = pd.DataFrame(words.format_class_rows(report), columns=list(words.CLASSES_HEADER))
    st.dataframe(classes, hide_index=True, key="evaluation-classes")
    predictions = load_evaluation(info).to_predictions()
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(
        plot_roc_curves(predictions.y_true, predictions.probs, predictions.class_names),
        config=NO_MODEBAR,
        key="evaluation-roc",
        alt="ROC",
    )
    right.plotly_chart(
        plot_precision_recall_curves(predictions.y_true, predictions.probs, predictions.class_names),
        config=NO_MODEBAR,
        key="evaluation-pr",
        alt="Precision and recall",
    )
