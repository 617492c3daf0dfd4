"""The report on one evaluation as HTML: what leaks first, then figures, matrix, wrong answers, how to repeat it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bloodcell.core.errors import RunError
from bloodcell.evaluation.confident_errors import WrongAnswer, WrongAnswers
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leak_check import LeakFound
from bloodcell.evaluation.metrics.reliability import how_sure
from bloodcell.plots import evaluation
from bloodcell.plots.confusion import BY_ANSWER, BY_LABEL, COUNTS, confusion_matrix
from bloodcell.reports import evaluation_words as words
from bloodcell.reports import html_page
from bloodcell.reports.numbers import counted, percent

N_COLUMNS: Final = 8
USE: Final = "For research and teaching, no medical device"
_NEEDED: Final = ("title", "model", "model_sha256", "dataset", "part", "groups", "leak", "left_out", "left_out_marked")
_NEEDED_TOO: Final = ("images_sha256", "created", "versions", "revision")


@dataclass(frozen=True)
class Judged:
    """What a report tells: an evaluation, and its wrong answers."""

    evaluation: Evaluation
    wrong: WrongAnswers

    def __post_init__(self) -> None:
        """RunError if the evaluation lacks what a report needs."""
        missing = [name for name in (*_NEEDED, *_NEEDED_TOO) if name not in self.evaluation.protocol]
        if missing:
            raise RunError(
                f"The evaluation is of an earlier version of Bloodcell (it lacks {', '.join(missing)}): evaluate again."
            )

    @property
    def leak(self) -> LeakFound:
        """What the model has seen of the pictures."""
        return LeakFound.from_json(self.evaluation.protocol["leak"])

    @property
    def gallery_words(self) -> str:
        """What stands above the wrong answers."""
        if not self.wrong.n:
            return "No answer is wrong."
        shown = len(self.wrong.surest)
        which = "all of them" if shown == self.wrong.n else f"the {shown} surest of them"
        return f"{counted(self.wrong.n, 'wrong answer')}; here {which}. First the label, then what the model says."


def evaluation_report(found: Judged) -> bytes:
    """Write the report as one HTML file that fetches nothing; bytes in UTF-8."""
    protocol = found.evaluation.protocol
    return html_page.page(
        protocol["title"],
        f"Evaluation of {protocol['model']} on {words.judged_words(protocol)}, {protocol['created'][:10]}. {USE}.",
        [
            ("What the model has seen", _leak(found)),
            ("What was judged", _judged(found)),
            ("Figures", _figures(found)),
            ("Confusion matrix", _matrix(found)),
            ("Each class", _classes(found)),
            ("How sure, how right", _calibration(found)),
            ("Wrong answers", _wrong(found)),
            ("How to repeat it", _repeat(found)),
        ],
    )


def _leak(found: Judged) -> list[str]:
    first, *others = found.leak.sentences()
    said = html_page.words(first) if found.leak.is_clean else html_page.warning(first, is_mild=not found.leak.leaking)
    return [said, *map(html_page.words, others)]


def _judged(found: Judged) -> list[str]:
    report, protocol = found.evaluation.report, found.evaluation.protocol
    facts = [
        (f"{report['images']:,}", "pictures"),
        (f"{report['source_cells']:,}", "source cells"),
        (f"{report['effective_cells']:,.0f}", "independent cells would tell as much"),
        (percent(report["figures"]["accuracy"]["value"]), "right"),
        (percent(report["figures"]["balanced_accuracy"]["value"]), "right, classes equal"),
    ]
    return [html_page.facts(facts), *(html_page.words(one) for one in words.remarks(protocol, report))]


def _figures(found: Judged) -> list[str]:
    report = found.evaluation.report
    return [
        html_page.chart(evaluation.figures_with_intervals(words.main_and_recalls(report)), "figures"),
        html_page.table(words.FIGURES_HEADER, words.figure_rows(report), n_grey=1),
        html_page.words(words.INTERVALS, note=True),
    ]


def _matrix(found: Judged) -> list[str]:
    matrix, names = found.evaluation.report["confusion"], found.evaluation.class_names
    shown = ((COUNTS, "Pictures"), (BY_LABEL, "Share of each label"), (BY_ANSWER, "Share of each answer"))
    return [
        html_page.beside(
            [
                html_page.heading(title) + html_page.chart(confusion_matrix(matrix, names, shows), f"matrix-{shows}")
                for shows, title in shown
            ]
        )
    ]


def _classes(found: Judged) -> list[str]:
    rows = [
        [name, f"{n:,}", f"{cells:,}", *rest] for name, n, cells, *rest in words.class_rows(found.evaluation.report)
    ]
    answers = found.evaluation.predictions()
    curves = (
        (evaluation.roc_curves(answers.y_true, answers.probs, answers.class_names), "roc"),
        (evaluation.precision_recall_curves(answers.y_true, answers.probs, answers.class_names), "precision-recall"),
    )
    return [
        html_page.table(words.CLASSES_HEADER, rows),
        html_page.words("In brackets the 95 % interval over source cells.", note=True),
        html_page.beside([html_page.chart(*one) for one in curves]),
    ]


def _calibration(found: Judged) -> list[str]:
    answers = found.evaluation.predictions()
    sure = how_sure(answers)
    if sure is None:
        return [html_page.words("The model answered for none of these pictures.")]
    risk = evaluation.risk_against_coverage({"by probability": (sure.coverage, sure.risk)}, words.confident_point(sure))
    rows = [[status, f"{n:,}", f"{wrong:,}", *rest] for status, n, wrong, *rest in words.status_table(answers)]
    return [
        html_page.beside(
            [
                html_page.chart(evaluation.reliability(sure.bins), "reliability")
                + html_page.words(words.calibration_words(found.evaluation.report), note=True),
                html_page.chart(risk, "risk") + html_page.words(words.risk_words(sure), note=True),
            ]
        ),
        html_page.heading("What the statuses catch and miss"),
        html_page.table(words.STATUSES_HEADER, rows),
    ]


def _wrong(found: Judged) -> list[str]:
    """The gallery; those that cannot be shown as a table."""
    parts = [html_page.words(found.gallery_words)]
    parts += [html_page.words(found.wrong.problem)] if found.wrong.problem else []
    pictures = [(one.jpeg, one.file, words.wrong_words(one)) for one in found.wrong.surest if one.jpeg]
    parts += [html_page.picture_row(pictures, N_COLUMNS)] if pictures else []
    others = [one for one in found.wrong.surest if not one.jpeg]
    return parts + ([html_page.table(("Picture", "Label and answer"), _rows(others), n_text=2)] if others else [])


def _rows(wrong: Sequence[WrongAnswer]) -> list[tuple[str, str]]:
    return [(one.file, words.wrong_words(one)) for one in wrong]


def _repeat(found: Judged) -> list[str]:
    protocol = found.evaluation.protocol
    said, command, spec = words.repeat_words(protocol)
    parts = [html_page.words(said), *(html_page.code(text) for text in (command, spec) if text)]
    return [*parts, html_page.table(("What", "Value"), words.made_of(protocol), n_text=2)]
