"""The report on models against each other as HTML: verdict, leaderboard, tests, matrices, disagreements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bloodcell.evaluation.compare import Comparison
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.plots import theme
from bloodcell.plots.confusion import plot_confusion_difference, plot_confusion_matrix
from bloodcell.plots.evaluation import plot_accuracies
from bloodcell.reports import compare_words, html_page
from bloodcell.reports import evaluation_words as words
from bloodcell.reports.evaluation_report import INTENDED_USE
from bloodcell.reports.numbers import format_count, format_interval, format_number, format_percent

MAX_DISAGREEMENTS: Final = 48  # pictures on which they disagree
N_COLUMNS: Final = 6
_LEADERBOARD_HEADER: Final = (
    "Model",
    "Right",
    "95 % interval",
    "Classes equal",
    "95 % interval",
    "ECE",
    "Held back",
    "MB",
    "Parameters",
    "Trained, min",
    "ms a picture",
    "Learned from",
)


@dataclass(frozen=True)
class ModelComparison:
    """What the report tells.

    board : as `evaluation.leaderboard.build_leaderboard` gives it
    evaluations : of the models in the order asked for, of the same pictures in the same order
    comparisons : each of the others against the first
    n_differ : pictures on which they do not all say the same
    crops : file -> JPEG (b"" for none) of some of them
    problem : why some have no picture, "" if all have one
    """

    leaderboard: pd.DataFrame
    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison]
    n_disagreements: int
    crops: Mapping[str, bytes]
    problem: str


def render_comparison_html(content: ModelComparison) -> bytes:
    """Write the report as one HTML file that fetches nothing; bytes in UTF-8."""
    first = content.evaluations[0]
    names = ", ".join(one.protocol.model for one in content.evaluations)
    report = first.report
    return html_page.page(
        f"{format_count(len(content.evaluations), 'model')} on {words.describe_dataset(first.protocol)}",
        f"{names}, on {format_count(report.n_images, 'picture')} of {format_count(report.n_source_cells, 'source cell')}, which tell"
        f" as much as {report.effective_sample_size:,.0f} independent cells. {first.protocol.created[:10]}. {INTENDED_USE}.",
        [
            ("Which is better", _render_verdict(content)),
            ("Leaderboard", _render_leaderboard(content.leaderboard)),
            ("Confusion matrices", _render_confusion_matrices(content.evaluations)),
            ("Disagreements", _render_disagreements(content)),
            ("How to repeat it", _render_reproduction(content.evaluations)),
        ],
    )


def _render_verdict(content: ModelComparison) -> list[str]:
    parts = []
    for one in content.evaluations:
        leak = one.protocol.leak
        if leak.n_leaking or not leak.is_known:
            sentence = f"{one.protocol.model}: {leak.describe()[0]}"
            parts.append(html_page.warning(sentence, is_mild=not leak.n_leaking))
    parts += [html_page.paragraph(one.pair_sentence) for one in content.comparisons]
    parts += [
        html_page.paragraph(sentence)
        for sentence in words.list_remarks(content.evaluations[0].protocol, content.evaluations[0].report)
    ]
    rows = [
        [f"{one:,}" if isinstance(one, int) else one for one in row]
        for row in compare_words.format_test_rows(content.comparisons)
    ]
    table = html_page.table(compare_words.TESTS_HEADER, rows)
    return [*parts, table, html_page.paragraph(compare_words.TESTS_NOTE, note=True)]


def _render_leaderboard(leaderboard: pd.DataFrame) -> list[str]:
    rows = [
        (
            one.model,
            format_percent(one.accuracy),
            format_interval(_interval_or_none(one.accuracy_low, one.accuracy_high)),
            format_percent(one.balanced_accuracy),
            format_interval(_interval_or_none(one.balanced_accuracy_low, one.balanced_accuracy_high)),
            format_number(None if pd.isna(one.ece) else one.ece),
            format_percent(one.flagged_for_review),
            _format_digits(one.size_mb, 1),
            _format_digits(one.parameters, 0),
            _format_digits(one.training_s / 60, 0),
            _format_digits(one.ms_per_image, 1),
            "not known" if pd.isna(one.leaking_images) else _format_digits(one.leaking_images, 0),
        )
        for one in leaderboard.itertuples(index=False)
    ]
    note = (
        "ms a picture: decoding, finding and naming, as measured when each was judged; machines are busy at times, so"
        " small differences mean nothing. Learned from: pictures of this set that the model has learned from."
    )
    chart = html_page.chart(plot_accuracies(leaderboard), "accuracies")
    return [html_page.table(_LEADERBOARD_HEADER, rows), html_page.paragraph(note, note=True), chart]


def _interval_or_none(low: float, high: float) -> tuple[float, float] | None:
    return None if pd.isna(low) or pd.isna(high) else (low, high)


def _format_digits(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:,.{digits}f}"


def _render_confusion_matrices(evaluations: Sequence[Evaluation]) -> list[str]:
    first = evaluations[0]
    shown = [
        html_page.heading(one.protocol.model)
        + html_page.chart(plot_confusion_matrix(one.report.confusion, one.class_names), f"matrix-{_spell_number(at)}")
        for at, one in enumerate(evaluations)
    ]
    same = [(at, one) for at, one in enumerate(evaluations) if at and one.class_names == first.class_names]
    differences = [
        html_page.heading(f"{one.protocol.model} less {first.protocol.model}, in pictures")
        + html_page.chart(
            plot_confusion_difference(first.report.confusion, one.report.confusion, first.class_names),
            f"difference-{_spell_number(at)}",
        )
        for at, one in same
    ]
    note = [html_page.paragraph("Blue: better than the first model. Orange: worse.", note=True)] if same else []
    return [html_page.side_by_side(shown), *([html_page.side_by_side(differences)] if differences else []), *note]


def _spell_number(at: int) -> str:
    """A number as letters, as the names of charts are written."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(at))


def _render_disagreements(content: ModelComparison) -> list[str]:
    if not content.n_disagreements:
        return [html_page.paragraph("All models say the same of every picture.")]
    shown = f"here {len(content.crops)} of them" if len(content.crops) < content.n_disagreements else "here all of them"
    sentence = (
        f"The models do not all say the same of {format_count(content.n_disagreements, 'picture')}; {shown}. First the label, then what each"
        " model says and how sure it is."
    )
    tables = [one.prediction_table.set_index("file") for one in content.evaluations]
    names = [one.protocol.model for one in content.evaluations]
    captions = {}
    for file in content.crops:
        answers = [
            f"{name}: {compare_words.describe_prediction(table.loc[file])}"
            for name, table in zip(names, tables, strict=True)
        ]
        captions[file] = f"{theme.format_label(tables[0].loc[file, 'label'])}. {'; '.join(answers)}"
    parts = [html_page.paragraph(sentence), *([html_page.paragraph(content.problem)] if content.problem else [])]
    thumbnails = [(jpeg, file, captions[file]) for file, jpeg in content.crops.items() if jpeg]
    parts += [html_page.image_row(thumbnails, N_COLUMNS)] if thumbnails else []
    others = [(file, captions[file]) for file, jpeg in content.crops.items() if not jpeg]
    return parts + ([html_page.table(("Picture", "Label and answers"), others, n_text=2)] if others else [])


def _render_reproduction(evaluations: Sequence[Evaluation]) -> list[str]:
    sentence, command, _ = words.describe_reproduction(evaluations[0].protocol)
    parts = [html_page.paragraph(sentence), *([html_page.code(command)] if command else [])]
    for one in evaluations:
        parts.append(html_page.table(("What", "Value"), words.list_provenance(one.protocol), n_text=2))
    return parts
