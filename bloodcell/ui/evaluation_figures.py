"""The figures of an evaluation: each with its interval over source cells, and in grey the one over single pictures."""

from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.evaluate.shelf import EvaluationInfo
from bloodcell.plots.evaluation import figures_with_intervals, precision_recall_curves, roc_curves
from bloodcell.plots.theme import label_words
from bloodcell.ui.evaluation_shelf import answers_of
from bloodcell.ui.figures import NO_BAR

WORDS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "kappa": "Cohen's kappa",
    "macro_precision": "Precision, classes equal",
    "macro_recall": "Recall, classes equal",
    "macro_f1": "F1, classes equal",
    "weighted_precision": "Precision, by pictures",
    "weighted_recall": "Recall, by pictures",
    "weighted_f1": "F1, by pictures",
    "roc_auc": "Area under ROC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "ece": "Calibration error (ECE)",
    "confident_right": "Right where confident",
    "held_back": "Held back",
    "wrong_not_confident": "Wrong ones that are held back",
}
_OF_CLASS = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "Area under ROC",
    "average_precision": "Average precision",
}


def show(info: EvaluationInfo) -> None:
    """Show all figures: charts, a table over the whole, a table over the classes, curves."""
    report = info.report
    recalls = {label_words(name): one["recall"] for name, one in report["classes"].items()}
    main = {WORDS[name]: report["figures"][name] for name in ("accuracy", "balanced_accuracy")}
    chart, table = st.columns([6, 5], gap="medium")
    with chart:
        st.plotly_chart(
            figures_with_intervals(main | {f"Recall, {name.lower()}": one for name, one in recalls.items()}),
            config=NO_BAR,
            key="evaluation-intervals",
            alt="Accuracy and recall of each class with intervals",
        )
    with table:
        st.markdown("**All figures**", help=_INTERVAL_HELP)
        rows = [_row("Figure", WORDS[name], report["figures"][name]) for name in WORDS]
        rows.insert(1, _row("Figure", "Source cells, by vote", report["votes"] | {"plain_interval": None}))
        _table(rows, "evaluation-figures")
    st.markdown("**Each class**", help=_INTERVAL_HELP)
    st.dataframe(_classes(report), hide_index=True, key="evaluation-classes")
    answers = answers_of(info).predictions()
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(
        roc_curves(answers.y_true, answers.probs, answers.class_names), config=NO_BAR, key="evaluation-roc", alt="ROC"
    )
    right.plotly_chart(
        precision_recall_curves(answers.y_true, answers.probs, answers.class_names),
        config=NO_BAR,
        key="evaluation-pr",
        alt="Precision and recall",
    )


_INTERVAL_HELP = (
    "95 % intervals by bootstrap: whole source cells are drawn, so copies of one cell count once. In grey the interval "
    "as if every picture were a cell of its own; where there are copies it is too narrow."
)


def _row(head: str, words: str, one: dict[str, Any]) -> dict[str, str]:
    return {
        head: words,
        "Value": _number(one["value"]),
        "over source cells": _range(one["interval"]),
        "over pictures": _range(one["plain_interval"]),
    }


def _table(rows: list[dict[str, str]], key: str) -> None:
    table = pd.DataFrame(rows)
    grey = table.style.map(lambda _: "color: #9a97a5", subset=["over pictures"])
    st.dataframe(grey, hide_index=True, key=key, height=420)


def _classes(report: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in report["classes"].items():
        row: dict[str, Any] = {
            "Class": label_words(name),
            "Pictures": one["support"],
            "Source cells": one["source_cells"],
        }
        for figure, words in _OF_CLASS.items():
            interval = _range(one[figure]["interval"])
            row[words] = _number(one[figure]["value"]) + (f" ({interval})" if interval else "")
        rows.append(row)
    return pd.DataFrame(rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(interval: list[float] | None) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
