"""The report on one evaluation: leaks first, then metrics, confusion matrix, calibration, errors, how to repeat it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from bloodcell.core.errors import RunError
from bloodcell.core.text import inflect_noun
from bloodcell.evaluation.confident_errors import WrongPrediction, WrongPredictions
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.metrics.reliability import analyse_confidence
from bloodcell.plots import theme
from bloodcell.plots.confusion import COLUMN_NORMALISED, COUNTS, ROW_NORMALISED, plot_confusion_matrix
from bloodcell.plots.evaluation import (
    plot_metric_intervals,
    plot_precision_recall_curves,
    plot_reliability,
    plot_risk_coverage,
    plot_roc_curves,
)
from bloodcell.reports import evaluation_words as words
from bloodcell.reports import pdf_charts
from bloodcell.reports.document import (
    Alert,
    Block,
    Chart,
    Code,
    Columns,
    Document,
    Facts,
    Heading,
    Images,
    Matrix,
    Paragraph,
    Section,
    Table,
    Thumbnail,
)
from bloodcell.reports.numbers import format_count, format_percent

N_COLUMNS: Final = 8
INTENDED_USE: Final = "For research and teaching. Not a medical device."
MATRIX_TITLES: Final = {
    COUNTS: "Counts",
    ROW_NORMALISED: "Row-normalised: share of each true class (recall)",
    COLUMN_NORMALISED: "Column-normalised: share of each predicted class (precision)",
}
_REQUIRED_FIELDS: Final = (
    *("title", "model", "model_sha256", "dataset", "part", "groups", "leak", "left_out", "left_out_marked"),
    *("images_sha256", "created", "versions", "revision"),
)


@dataclass(frozen=True)
class EvaluationContent:
    """What the report is about.

    Attributes
    ----------
    evaluation : Evaluation
    wrong : WrongPredictions
        Its errors.

    Raises
    ------
    RunError
        On creation, if the evaluation is of an earlier version of Bloodcell and lacks what the report needs.
    """

    evaluation: Evaluation
    wrong: WrongPredictions

    def __post_init__(self) -> None:
        missing = [name for name in _REQUIRED_FIELDS if name in self.evaluation.protocol.missing]
        if missing:
            raise RunError(
                f"This evaluation was made by an earlier version of Bloodcell and lacks {', '.join(missing)}."
                " Evaluate the model again."
            )


def build_evaluation_document(content: EvaluationContent) -> Document:
    """Build the report on an evaluation."""
    protocol = content.evaluation.protocol
    subject = f"{protocol.model} on {words.describe_dataset(protocol)}"
    return Document(
        protocol.title,
        f"Evaluation of {subject}, {protocol.created[:10]}. {INTENDED_USE}",
        [
            Section("Data leakage", build_leak_blocks(protocol.leak)),
            Section("Evaluated images", _build_images(content.evaluation)),
            Section("Metrics", _build_metrics(content.evaluation)),
            Section("Confusion matrix", _build_confusion_matrices(content.evaluation)),
            Section("Metrics by class", _build_classes(content.evaluation)),
            Section("Calibration", _build_calibration(content.evaluation)),
            Section("Errors", _build_errors(content.wrong)),
            Section("How to repeat this evaluation", build_reproduction(content.evaluation)),
        ],
        footer=f"{INTENDED_USE} {subject}",
    )


def build_leak_blocks(leak: LeakSummary) -> list[Block]:
    """Build the sentences on leaks, the first in a box unless all is well."""
    first, *others = leak.describe()
    verdict = Paragraph(first) if leak.is_clean else Alert(first, is_mild=not leak.n_leaking)
    return [verdict, *map(Paragraph, others)]


def _build_images(evaluation: Evaluation) -> list[Block]:
    report = evaluation.report
    facts = [
        (f"{report.n_images:,}", inflect_noun(report.n_images, "image")),
        (f"{report.n_source_cells:,}", inflect_noun(report.n_source_cells, "source cell")),
        (f"{report.effective_sample_size:,.0f}", "effective sample size"),
        (format_percent(report.metrics["accuracy"].value), "accuracy"),
        (format_percent(report.metrics["balanced_accuracy"].value), "balanced accuracy"),
    ]
    return [Facts(facts), *map(Paragraph, words.list_remarks(evaluation.protocol, report))]


def _build_metrics(evaluation: Evaluation) -> list[Block]:
    report = evaluation.report
    return [
        Chart(
            "metrics",
            partial(plot_metric_intervals, words.select_main_metrics(report)),
            partial(pdf_charts.draw_metric_intervals, words.select_main_metrics(report, theme.format_label)),
        ),
        Table(words.METRICS_HEADER, words.format_metric_rows(report), n_grey=1, widths=(0.34, 0.12, 0.27, 0.27)),
        Paragraph(words.INTERVALS_NOTE, is_note=True),
    ]


def _build_confusion_matrices(evaluation: Evaluation) -> list[Block]:
    counts, names = evaluation.report.confusion, evaluation.class_names
    return [
        Columns(
            [
                [Heading(title), build_matrix_chart(f"matrix-{normalisation}", counts, names, normalisation)]
                for normalisation, title in MATRIX_TITLES.items()
            ]
        ),
        Paragraph("Rows are true classes, columns predicted classes.", is_note=True),
    ]


def build_matrix_chart(
    name: str, counts: Sequence[Sequence[int]], class_names: Sequence[str], normalisation: str = COUNTS
) -> Chart:
    """Build the chart of a confusion matrix; on paper a matrix of the same numbers.

    Parameters
    ----------
    name : str
        Of the chart.
    counts : sequence of sequences of int, shape (C, C + 1)
    class_names : sequence of str, length C
    normalisation : str, default `COUNTS`
        Or `ROW_NORMALISED`, `COLUMN_NORMALISED`.
    """
    table = np.asarray(counts, float)
    if not table[:, -1].any():
        table = table[:, :-1]
    row_shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    column_shares = table / np.maximum(table.sum(axis=0, keepdims=True), 1)
    shades = column_shares if normalisation == COLUMN_NORMALISED else row_shares
    names = [theme.format_label(name) for name in class_names]
    cells = (
        [[f"{n:,.0f}" for n in row] for row in table]
        if normalisation == COUNTS
        else [[format_percent(share) for share in row] for row in shades]
    )
    columns = [*names, words.NO_PREDICTION_TITLE][: table.shape[1]]
    on_paper = Matrix("True / predicted", names, columns, cells, shades.tolist())
    return Chart(name, partial(plot_confusion_matrix, counts, class_names, normalisation), on_paper)


def _build_classes(evaluation: Evaluation) -> list[Block]:
    predictions = evaluation.to_predictions()
    arguments = (predictions.y_true, predictions.probs, predictions.class_names)
    return [
        Table(
            words.CLASSES_HEADER,
            words.format_class_rows(evaluation.report),
            widths=(0.15, 0.09, 0.09, 0.134, 0.134, 0.134, 0.134, 0.134),
        ),
        Paragraph("In brackets: 95 % interval over source cells.", is_note=True),
        Columns(
            [
                [Chart("roc", partial(plot_roc_curves, *arguments))],
                [Chart("precision-recall", partial(plot_precision_recall_curves, *arguments))],
            ]
        ),
    ]


def _build_calibration(evaluation: Evaluation) -> list[Block]:
    predictions = evaluation.to_predictions()
    analysis = analyse_confidence(predictions)
    if analysis is None:
        return [Paragraph("The model made no prediction for any of these images.")]
    curves = {"by probability": (analysis.coverage, analysis.risk)}
    reliability = Chart(
        "reliability", partial(plot_reliability, analysis.bins), partial(pdf_charts.draw_reliability, analysis)
    )
    risk = Chart(
        "risk",
        partial(plot_risk_coverage, curves, words.find_confident_point(analysis)),
        partial(pdf_charts.draw_risk_coverage, analysis),
    )
    return [
        Columns(
            [
                [reliability, Paragraph(words.describe_calibration(evaluation.report), is_note=True)],
                [risk, Paragraph(words.describe_risk(analysis), is_note=True)],
            ]
        ),
        Heading("Errors by status"),
        Table(
            words.STATUSES_HEADER,
            words.format_status_rows(predictions),
            widths=(0.2, 0.12, 0.12, 0.16, 0.2, 0.2),
        ),
    ]


def _build_errors(wrong: WrongPredictions) -> list[Block]:
    """Build the gallery of errors; those that cannot be shown stand in a table."""
    blocks: list[Block] = [Paragraph(describe_errors(wrong))]
    blocks += [Paragraph(wrong.problem)] if wrong.problem else []
    thumbnails = [
        Thumbnail(each.jpeg, each.file, words.describe_wrong_prediction(each))
        for each in wrong.most_confident
        if each.jpeg
    ]
    blocks += [Images(thumbnails, N_COLUMNS)] if thumbnails else []
    others = [each for each in wrong.most_confident if not each.jpeg]
    return blocks + ([_build_error_table(others)] if others else [])


def describe_errors(wrong: WrongPredictions) -> str:
    """Return what stands above the gallery of errors."""
    if not wrong.n_errors:
        return "There are no errors."
    n_shown = len(wrong.most_confident)
    which = "All of them are shown" if n_shown == wrong.n_errors else f"The {n_shown} most confident ones are shown"
    return f"{format_count(wrong.n_errors, 'error')}. {which}: true class, then predicted class and its probability."


def _build_error_table(errors: Sequence[WrongPrediction]) -> Table:
    rows = [(each.file, words.describe_wrong_prediction(each)) for each in errors]
    return Table(("Image", "True and predicted class"), rows, n_text=2, widths=(0.36, 0.64))


def build_reproduction(evaluation: Evaluation) -> list[Block]:
    """Build what is needed to repeat an evaluation: command, settings, versions."""
    sentence, command, spec_json = words.describe_reproduction(evaluation.protocol)
    commands = [Code(text) for text in (command, spec_json) if text]
    return [Paragraph(sentence), *commands, build_provenance_table(evaluation)]


def build_provenance_table(evaluation: Evaluation) -> Table:
    """Build the table of what an evaluation was made of and with."""
    rows = words.list_provenance(evaluation.protocol)
    return Table(("Property", "Value"), rows, n_text=2, widths=(0.36, 0.64))
