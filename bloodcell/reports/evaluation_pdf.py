"""The report on one evaluation as PDF: what `evaluation_report` writes as HTML, for paper."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from reportlab.platypus import Flowable

from bloodcell.evaluation.metrics.reliability import how_sure
from bloodcell.plots import theme
from bloodcell.reports import evaluation_words as words
from bloodcell.reports import pdf_charts, pdf_page
from bloodcell.reports.evaluation_report import USE, Judged
from bloodcell.reports.numbers import counted, percent

_NO_ANSWER: Final = "No answer"


def evaluation_pdf(found: Judged) -> bytes:
    """Write the report as PDF, A4."""
    protocol = found.evaluation.protocol
    judged = f"{protocol['model']} on {words.judged_words(protocol)}"
    parts = [
        pdf_page.title(protocol["title"]),
        pdf_page.words(f"Evaluation of {judged}, {protocol['created'][:10]}. {USE}."),
        *_leak(found),
        *_judged(found),
        *_figures(found),
        *_matrix(found),
        *_classes(found),
        *_calibration(found),
        *_wrong(found),
        *_repeat(found),
    ]
    names = [judged, protocol["title"], *(one.file for one in found.wrong.surest), *found.evaluation.class_names]
    if pdf_page.lacks_letters(names):
        note = f"Letters that the font of this PDF lacks are shown as {pdf_page.LACKING}; the HTML report shows them."
        parts.insert(2, pdf_page.words(note, note=True))
    return pdf_page.document(protocol["title"], parts, f"{USE} - {judged}")


def _leak(found: Judged) -> list[Flowable]:
    first, *others = found.leak.sentences()
    said = pdf_page.words(first) if found.leak.is_clean else pdf_page.warning(first, is_mild=not found.leak.leaking)
    return [said, *map(pdf_page.words, others)]


def _judged(found: Judged) -> list[Flowable]:
    report, protocol = found.evaluation.report, found.evaluation.protocol
    said = (
        f"{counted(report['images'], 'picture')} of {counted(report['source_cells'], 'source cell')}, which tell as much as"
        f" {report['effective_cells']:,.0f} independent cells."
    )
    return [pdf_page.heading("What was judged"), *map(pdf_page.words, (said, *words.remarks(protocol, report)))]


def _figures(found: Judged) -> list[Flowable]:
    report = found.evaluation.report
    return [
        pdf_page.heading("Figures"),
        pdf_charts.figures_with_intervals(words.main_and_recalls(report, theme.label_words)),
        pdf_page.gap(),
        pdf_page.table(words.FIGURES_HEADER, words.figure_rows(report), (0.34, 0.14, 0.26, 0.26), n_grey=1),
        pdf_page.words(words.INTERVALS, note=True),
    ]


def _matrix(found: Judged) -> list[Flowable]:
    names = [theme.label_words(name) for name in found.evaluation.class_names]
    counts = np.array(found.evaluation.report["confusion"])
    if not counts[:, -1].any():
        counts = counts[:, :-1]
    header = ["Label / answer", *names, _NO_ANSWER][: counts.shape[1] + 1]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    as_counts = [(name, [f"{n:,}" for n in row]) for name, row in zip(names, counts, strict=True)]
    as_shares = [(name, [percent(one) for one in row]) for name, row in zip(names, shares, strict=True)]
    return [
        pdf_page.heading("Confusion matrix"),
        pdf_page.heading("Pictures; rows are labels, columns answers", below=True),
        pdf_page.shaded(header, as_counts, shares.tolist()),
        pdf_page.heading("Share of each label", below=True),
        pdf_page.shaded(header, as_shares, shares.tolist()),
    ]


def _classes(found: Judged) -> list[Flowable]:
    # A line breaks before the bracket, not inside.
    rows = [
        [_counted(one).replace(" to ", "\xa0to\xa0") for one in row]
        for row in words.class_rows(found.evaluation.report)
    ]
    return [
        pdf_page.heading("Each class"),
        pdf_page.table(words.CLASSES_HEADER, rows, (0.15, 0.09, 0.09, 0.134, 0.134, 0.134, 0.134, 0.134)),
        pdf_page.words("In brackets the 95 % interval over source cells.", note=True),
    ]


def _calibration(found: Judged) -> list[Flowable]:
    answers = found.evaluation.predictions()
    sure = how_sure(answers)
    parts: list[Flowable] = [pdf_page.heading("How sure, how right")]
    if sure is None:
        return [*parts, pdf_page.words("The model answered for none of these pictures.")]
    rows = [list(map(_counted, row)) for row in words.status_table(answers)]
    return [
        *parts,
        pdf_page.beside([pdf_charts.reliability(sure), pdf_charts.risk_against_coverage(sure)]),
        pdf_page.words(words.calibration_words(found.evaluation.report), note=True),
        pdf_page.words(words.risk_words(sure), note=True),
        pdf_page.heading("What the statuses catch and miss", below=True),
        pdf_page.table(words.STATUSES_HEADER, rows, (0.2, 0.14, 0.14, 0.18, 0.22, 0.12)),
    ]


def _counted(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _wrong(found: Judged) -> list[Flowable]:
    parts: list[Flowable] = [pdf_page.heading("Wrong answers"), pdf_page.words(found.gallery_words)]
    parts += [pdf_page.words(found.wrong.problem)] if found.wrong.problem else []
    pictures = [(one.jpeg, words.wrong_words(one)) for one in found.wrong.surest if one.jpeg]
    parts += [pdf_page.pictures(pictures)] if pictures else []
    rows = [(one.file, words.wrong_words(one)) for one in found.wrong.surest if not one.jpeg]
    return parts + ([_texts(("Picture", "Label and answer"), rows)] if rows else [])


def _repeat(found: Judged) -> list[Flowable]:
    said, command, spec = words.repeat_words(found.evaluation.protocol)
    parts: list[Flowable] = [pdf_page.heading("How to repeat it"), pdf_page.words(said)]
    parts += [pdf_page.code(text) for text in (command, spec) if text]
    return [*parts, pdf_page.gap(), _texts(("What", "Value"), words.made_of(found.evaluation.protocol))]


def _texts(header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> Flowable:
    return pdf_page.table(header, rows, (0.36, 0.64), n_text=2)
