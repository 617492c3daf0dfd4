"""The report on an evaluation, made when its button is clicked and not before."""

from functools import partial
from pathlib import Path

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.confident_errors import collect_wrong_predictions
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.reports.document import Document


def offer_reports(info: EvaluationInfo) -> None:
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
    from bloodcell.reports.html_writer import write_html

    return write_html(_build_document(folder))


def render_pdf(folder: Path) -> bytes:
    """Render the report as PDF from the saved evaluation; RunError where that is gone."""
    from bloodcell.reports.pdf_writer import write_pdf

    return write_pdf(_build_document(folder))


def _build_document(folder: Path) -> Document:
    # Loads reportlab, which most visits of the page do not need.
    from bloodcell.reports.evaluation_report import EvaluationContent, build_evaluation_document

    evaluation = read_evaluation(folder)
    wrong = collect_wrong_predictions(evaluation, load_settings())
    return build_evaluation_document(EvaluationContent(evaluation, wrong))
