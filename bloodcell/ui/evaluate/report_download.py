"""The report on an evaluation, made when its button is clicked and not before."""

from functools import partial
from pathlib import Path

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.confident_errors import collect_wrong_predictions
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.reports.evaluation_report import EvaluationContent, render_evaluation_html


def offer(info: EvaluationInfo) -> None:
    """Offer the report as HTML and as PDF; the browser shows that it waits."""
    for kind, render, mime in (("HTML", render_html, "text/html"), ("PDF", render_pdf, "application/pdf")):
        st.download_button(
            f"Report ({kind})",
            partial(render, info.folder),
            f"{info.name}.{kind.lower()}",
            mime,
            icon=":material/description:",
            key=f"evaluation-report-{kind.lower()}",
            on_click="ignore",
            help="Created when you click, which takes a few seconds. It opens without Bloodcell and without the internet.",
        )


def render_html(folder: Path) -> bytes:
    """Render the report as HTML from the saved evaluation; RunError where that is gone."""
    return render_evaluation_html(_read_report_input(folder))


def render_pdf(folder: Path) -> bytes:
    """Render the report as PDF from the saved evaluation; RunError where that is gone."""
    from bloodcell.reports.evaluation_pdf import render_evaluation_pdf  # loads reportlab, which most visits do not need

    return render_evaluation_pdf(_read_report_input(folder))


def _read_report_input(folder: Path) -> EvaluationContent:
    evaluation = read_evaluation(folder)
    return EvaluationContent(evaluation, collect_wrong_predictions(evaluation, load_settings()))
