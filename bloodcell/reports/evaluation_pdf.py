"""The report on one evaluation as PDF: what `evaluation_report` writes as HTML, for paper."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from reportlab.platypus import Flowable

from bloodcell.evaluation.metrics.reliability import analyse_confidence
from bloodcell.plots import theme
from bloodcell.reports import evaluation_words as words
from bloodcell.reports import pdf_charts, pdf_page
from bloodcell.reports.evaluation_report import INTENDED_USE, EvaluationContent
from bloodcell.reports.numbers import format_count, format_percent

_NO_PREDICTION: Final = "No answer"


def render_evaluation_pdf(content: EvaluationContent) -> bytes:
    """Write the report as PDF, A4."""
    protocol = content.evaluation.protocol
    subject = f"{protocol.model} on {words.describe_dataset(protocol)}"
    parts = [
        pdf_page.title(protocol.title),
        pdf_page.paragraph(f"Evaluation of {subject}, {protocol.created[:10]}. {INTENDED_USE}."),
        *_render_leak(content),
        *_render_images(content),
        *_render_metrics(content),
        *_render_confusion_matrix(content),
        *_render_classes(content),
        *_render_calibration(content),
        *_render_wrong_predictions(content),
        *_render_reproduction(content),
    ]
    names = [
        subject,
        protocol.title,
        *(one.file for one in content.wrong.most_confident),
        *content.evaluation.class_names,
    ]
    if pdf_page.lacks_letters(names):
        note = f"Letters that the font of this PDF lacks are shown as {pdf_page.MISSING_GLYPH}; the HTML report shows them."
        parts.insert(2, pdf_page.paragraph(note, note=True))
    return pdf_page.build_document(protocol.title, parts, f"{INTENDED_USE} - {subject}")


def _render_leak(content: EvaluationContent) -> list[Flowable]:
    first, *others = content.leak.describe()
    sentence = (
        pdf_page.paragraph(first)
        if content.leak.is_clean
        else pdf_page.warning(first, is_mild=not content.leak.n_leaking)
    )
    return [sentence, *map(pdf_page.paragraph, others)]


def _render_images(content: EvaluationContent) -> list[Flowable]:
    report, protocol = content.evaluation.report, content.evaluation.protocol
    sentence = (
        f"{format_count(report.n_images, 'picture')} of {format_count(report.n_source_cells, 'source cell')}, which tell as much as"
        f" {report.effective_sample_size:,.0f} independent cells."
    )
    return [
        pdf_page.heading("What was judged"),
        *map(pdf_page.paragraph, (sentence, *words.list_remarks(protocol, report))),
    ]


def _render_metrics(content: EvaluationContent) -> list[Flowable]:
    report = content.evaluation.report
    return [
        pdf_page.heading("Figures"),
        pdf_charts.draw_metric_intervals(words.select_main_metrics(report, theme.format_label)),
        pdf_page.gap(),
        pdf_page.table(words.METRICS_HEADER, words.format_metric_rows(report), (0.34, 0.14, 0.26, 0.26), n_grey=1),
        pdf_page.paragraph(words.INTERVALS_NOTE, note=True),
    ]


def _render_confusion_matrix(content: EvaluationContent) -> list[Flowable]:
    names = [theme.format_label(name) for name in content.evaluation.class_names]
    counts = np.array(content.evaluation.report.confusion)
    if not counts[:, -1].any():
        counts = counts[:, :-1]
    header = ["Label / answer", *names, _NO_PREDICTION][: counts.shape[1] + 1]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    as_counts = [(name, [f"{n:,}" for n in row]) for name, row in zip(names, counts, strict=True)]
    as_shares = [(name, [format_percent(one) for one in row]) for name, row in zip(names, shares, strict=True)]
    return [
        pdf_page.heading("Confusion matrix"),
        pdf_page.heading("Pictures; rows are labels, columns answers", below=True),
        pdf_page.shaded_table(header, as_counts, shares.tolist()),
        pdf_page.heading("Share of each label", below=True),
        pdf_page.shaded_table(header, as_shares, shares.tolist()),
    ]


def _render_classes(content: EvaluationContent) -> list[Flowable]:
    # A line breaks before the bracket, not inside.
    rows = [
        [_format_cell(one).replace(" to ", "\xa0to\xa0") for one in row]
        for row in words.format_class_rows(content.evaluation.report)
    ]
    return [
        pdf_page.heading("Each class"),
        pdf_page.table(words.CLASSES_HEADER, rows, (0.15, 0.09, 0.09, 0.134, 0.134, 0.134, 0.134, 0.134)),
        pdf_page.paragraph("In brackets the 95 % interval over source cells.", note=True),
    ]


def _render_calibration(content: EvaluationContent) -> list[Flowable]:
    predictions = content.evaluation.to_predictions()
    analysis = analyse_confidence(predictions)
    parts: list[Flowable] = [pdf_page.heading("How sure, how right")]
    if analysis is None:
        return [*parts, pdf_page.paragraph("The model answered for none of these pictures.")]
    rows = [list(map(_format_cell, row)) for row in words.format_status_rows(predictions)]
    return [
        *parts,
        pdf_page.side_by_side([pdf_charts.draw_reliability(analysis), pdf_charts.draw_risk_coverage(analysis)]),
        pdf_page.paragraph(words.describe_calibration(content.evaluation.report), note=True),
        pdf_page.paragraph(words.describe_risk(analysis), note=True),
        pdf_page.heading("What the statuses catch and miss", below=True),
        pdf_page.table(words.STATUSES_HEADER, rows, (0.2, 0.14, 0.14, 0.18, 0.22, 0.12)),
    ]


def _format_cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _render_wrong_predictions(content: EvaluationContent) -> list[Flowable]:
    parts: list[Flowable] = [pdf_page.heading("Wrong answers"), pdf_page.paragraph(content.gallery_caption)]
    parts += [pdf_page.paragraph(content.wrong.problem)] if content.wrong.problem else []
    pictures = [(one.jpeg, words.describe_wrong_prediction(one)) for one in content.wrong.most_confident if one.jpeg]
    parts += [pdf_page.image_grid(pictures)] if pictures else []
    rows = [(one.file, words.describe_wrong_prediction(one)) for one in content.wrong.most_confident if not one.jpeg]
    return parts + ([_text_table(("Picture", "Label and answer"), rows)] if rows else [])


def _render_reproduction(content: EvaluationContent) -> list[Flowable]:
    sentence, command, spec = words.describe_reproduction(content.evaluation.protocol)
    parts: list[Flowable] = [pdf_page.heading("How to repeat it"), pdf_page.paragraph(sentence)]
    parts += [pdf_page.code(text) for text in (command, spec) if text]
    return [*parts, pdf_page.gap(), _text_table(("What", "Value"), words.list_provenance(content.evaluation.protocol))]


def _text_table(header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> Flowable:
    return pdf_page.table(header, rows, (0.36, 0.64), n_text=2)
