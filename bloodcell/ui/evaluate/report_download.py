"""The report on an evaluation, made when its button is clicked and not before."""

from functools import partial
from pathlib import Path

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.confident_errors import wrong_answers
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.reports.evaluation_report import Judged, evaluation_report


def offer(info: EvaluationInfo) -> None:
    """Offer the report as HTML and as PDF; the browser shows that it waits."""
    for kind, make, mime in (("HTML", html_of, "text/html"), ("PDF", pdf_of, "application/pdf")):
        st.download_button(
            f"Report ({kind})",
            partial(make, info.folder),
            f"{info.name}.{kind.lower()}",
            mime,
            icon=":material/description:",
            key=f"evaluation-report-{kind.lower()}",
            on_click="ignore",
            help="Made when you click, which takes some seconds. It needs neither Bloodcell nor the internet to be read.",
        )


def html_of(folder: Path) -> bytes:
    """The report as HTML, from what is kept; RunError where the evaluation is gone."""
    return evaluation_report(_judged(folder))


def pdf_of(folder: Path) -> bytes:
    """The report as PDF, from what is kept; RunError where the evaluation is gone."""
    from bloodcell.reports.evaluation_pdf import evaluation_pdf  # loads reportlab, which most visits do not need

    return evaluation_pdf(_judged(folder))


def _judged(folder: Path) -> Judged:
    evaluation = read_evaluation(folder)
    return Judged(evaluation, wrong_answers(evaluation, load_settings()))
