"""The report on one evaluation as HTML: what leaks first, then figures, matrix, wrong answers, how to repeat it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bloodcell.core.errors import RunError
from bloodcell.evaluation.confident_errors import WrongPrediction, WrongPredictions
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.metrics.reliability import analyse_confidence
from bloodcell.plots import evaluation
from bloodcell.plots.confusion import COLUMN_NORMALISED, COUNTS, ROW_NORMALISED, plot_confusion_matrix
from bloodcell.reports import evaluation_words as words
from bloodcell.reports import html_page
from bloodcell.reports.numbers import format_count, format_percent

N_COLUMNS: Final = 8
INTENDED_USE: Final = "For research and teaching, no medical device"
_REQUIRED_FIELDS: Final = (
    *("title", "model", "model_sha256", "dataset", "part", "groups", "leak", "left_out", "left_out_marked"),
    *("images_sha256", "created", "versions", "revision"),
)


@dataclass(frozen=True)
class EvaluationContent:
    """What a report tells: an evaluation, and its wrong answers."""

    evaluation: Evaluation
    wrong: WrongPredictions

    def __post_init__(self) -> None:
        """RunError if the evaluation lacks what a report needs."""
        missing = [name for name in _REQUIRED_FIELDS if name in self.evaluation.protocol.missing]
        if missing:
            raise RunError(
                f"The evaluation is of an earlier version of Bloodcell (it lacks {', '.join(missing)}): evaluate again."
            )

    @property
    def leak(self) -> LeakSummary:
        """What the model has seen of the pictures."""
        return self.evaluation.protocol.leak

    @property
    def gallery_caption(self) -> str:
        """What stands above the wrong answers."""
        if not self.wrong.n_errors:
            return "No answer is wrong."
        shown = len(self.wrong.most_confident)
        which = "all of them" if shown == self.wrong.n_errors else f"the {shown} surest of them"
        return f"{format_count(self.wrong.n_errors, 'wrong answer')}; here {which}. First the label, then what the model says."


def render_evaluation_html(content: EvaluationContent) -> bytes:
    """Write the report as one HTML file that fetches nothing; bytes in UTF-8."""
    protocol = content.evaluation.protocol
    return html_page.page(
        protocol.title,
        f"Evaluation of {protocol.model} on {words.describe_dataset(protocol)}, {protocol.created[:10]}. {INTENDED_USE}.",
        [
            ("What the model has seen", _render_leak(content)),
            ("What was judged", _render_images(content)),
            ("Figures", _render_metrics(content)),
            ("Confusion matrix", _render_confusion_matrices(content)),
            ("Each class", _render_classes(content)),
            ("How sure, how right", _render_calibration(content)),
            ("Wrong answers", _render_wrong_predictions(content)),
            ("How to repeat it", _render_reproduction(content)),
        ],
    )


def _render_leak(content: EvaluationContent) -> list[str]:
    first, *others = content.leak.describe()
    sentence = (
        html_page.paragraph(first)
        if content.leak.is_clean
        else html_page.warning(first, is_mild=not content.leak.n_leaking)
    )
    return [sentence, *map(html_page.paragraph, others)]


def _render_images(content: EvaluationContent) -> list[str]:
    report, protocol = content.evaluation.report, content.evaluation.protocol
    facts = [
        (f"{report.n_images:,}", "pictures"),
        (f"{report.n_source_cells:,}", "source cells"),
        (f"{report.effective_sample_size:,.0f}", "independent cells would tell as much"),
        (format_percent(report.metrics["accuracy"].value), "right"),
        (format_percent(report.metrics["balanced_accuracy"].value), "right, classes equal"),
    ]
    return [html_page.facts(facts), *(html_page.paragraph(one) for one in words.list_remarks(protocol, report))]


def _render_metrics(content: EvaluationContent) -> list[str]:
    report = content.evaluation.report
    return [
        html_page.chart(evaluation.plot_metric_intervals(words.select_main_metrics(report)), "figures"),
        html_page.table(words.METRICS_HEADER, words.format_metric_rows(report), n_grey=1),
        html_page.paragraph(words.INTERVALS_NOTE, note=True),
    ]


def _render_confusion_matrices(content: EvaluationContent) -> list[str]:
    matrix, names = content.evaluation.report.confusion, content.evaluation.class_names
    shown = ((COUNTS, "Pictures"), (ROW_NORMALISED, "Share of each label"), (COLUMN_NORMALISED, "Share of each answer"))
    return [
        html_page.side_by_side(
            [
                html_page.heading(title)
                + html_page.chart(plot_confusion_matrix(matrix, names, normalisation), f"matrix-{normalisation}")
                for normalisation, title in shown
            ]
        )
    ]


def _render_classes(content: EvaluationContent) -> list[str]:
    rows = [
        [str(name), f"{n:,}", f"{cells:,}", *map(str, rest)]
        for name, n, cells, *rest in words.format_class_rows(content.evaluation.report)
    ]
    answers = content.evaluation.to_predictions()
    curves = (
        (evaluation.plot_roc_curves(answers.y_true, answers.probs, answers.class_names), "roc"),
        (
            evaluation.plot_precision_recall_curves(answers.y_true, answers.probs, answers.class_names),
            "precision-recall",
        ),
    )
    return [
        html_page.table(words.CLASSES_HEADER, rows),
        html_page.paragraph("In brackets the 95 % interval over source cells.", note=True),
        html_page.side_by_side([html_page.chart(*one) for one in curves]),
    ]


def _render_calibration(content: EvaluationContent) -> list[str]:
    answers = content.evaluation.to_predictions()
    analysis = analyse_confidence(answers)
    if analysis is None:
        return [html_page.paragraph("The model answered for none of these pictures.")]
    risk = evaluation.plot_risk_coverage(
        {"by probability": (analysis.coverage, analysis.risk)}, words.find_confident_point(analysis)
    )
    rows = [
        [str(status), f"{n:,}", f"{wrong:,}", *map(str, rest)]
        for status, n, wrong, *rest in words.format_status_rows(answers)
    ]
    return [
        html_page.side_by_side(
            [
                html_page.chart(evaluation.plot_reliability(analysis.bins), "reliability")
                + html_page.paragraph(words.describe_calibration(content.evaluation.report), note=True),
                html_page.chart(risk, "risk") + html_page.paragraph(words.describe_risk(analysis), note=True),
            ]
        ),
        html_page.heading("What the statuses catch and miss"),
        html_page.table(words.STATUSES_HEADER, rows),
    ]


def _render_wrong_predictions(content: EvaluationContent) -> list[str]:
    """The gallery; those that cannot be shown as a table."""
    parts = [html_page.paragraph(content.gallery_caption)]
    parts += [html_page.paragraph(content.wrong.problem)] if content.wrong.problem else []
    thumbnails = [
        (one.jpeg, one.file, words.describe_wrong_prediction(one)) for one in content.wrong.most_confident if one.jpeg
    ]
    parts += [html_page.image_row(thumbnails, N_COLUMNS)] if thumbnails else []
    others = [one for one in content.wrong.most_confident if not one.jpeg]
    return parts + (
        [html_page.table(("Picture", "Label and answer"), _format_rows(others), n_text=2)] if others else []
    )


def _format_rows(wrong: Sequence[WrongPrediction]) -> list[tuple[str, str]]:
    return [(one.file, words.describe_wrong_prediction(one)) for one in wrong]


def _render_reproduction(content: EvaluationContent) -> list[str]:
    protocol = content.evaluation.protocol
    sentence, command, spec = words.describe_reproduction(protocol)
    parts = [html_page.paragraph(sentence), *(html_page.code(text) for text in (command, spec) if text)]
    return [*parts, html_page.table(("What", "Value"), words.list_provenance(protocol), n_text=2)]
