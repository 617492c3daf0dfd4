"""The report on models against each other: leaks, verdict, leaderboard, confusion matrices, disagreements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pandas as pd

from bloodcell.evaluation.compare import Comparison
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.metrics.report import Metric
from bloodcell.plots import theme
from bloodcell.plots.confusion import plot_confusion_difference
from bloodcell.plots.evaluation import plot_accuracies
from bloodcell.reports import compare_words, pdf_charts
from bloodcell.reports import evaluation_words as words
from bloodcell.reports.document import (
    Alert,
    Block,
    Chart,
    Code,
    Columns,
    Document,
    Heading,
    Images,
    Paragraph,
    Section,
    Table,
    Thumbnail,
)
from bloodcell.reports.evaluation_report import INTENDED_USE, build_matrix_chart, build_provenance_table
from bloodcell.reports.numbers import format_count, format_interval, format_number, format_percent

MAX_DISAGREEMENTS: Final = 48  # images
N_COLUMNS: Final = 6
_LEADERBOARD_HEADER: Final = (
    "Model",
    "Accuracy",
    "95 % interval",
    "Balanced accuracy",
    "95 % interval",
    "ECE",
    "Flagged for review",
    "MB",
    "Parameters",
    "Training, min",
    "ms per image",
    "Trained on",
)
_LEADERBOARD_NOTE: Final = (
    "ms per image: decoding, finding and classifying, as measured by each evaluation. Other work on the machine changes"
    " it, so small differences mean nothing. Trained on: images of this set that the model was trained on."
)


@dataclass(frozen=True)
class ModelComparison:
    """What the report is about.

    Attributes
    ----------
    leaderboard : DataFrame
        As `evaluation.leaderboard.build_leaderboard` returns it.
    evaluations : sequence of Evaluation
        Of the models in the order asked for, of the same images in the same order.
    comparisons : sequence of Comparison
        Each of the others against the first.
    n_disagreements : int
        Images on which they do not all predict the same.
    crops : mapping of str to bytes
        JPEG by file (b"" for none) of some of these.
    problem : str
        Why some cannot be shown, "" if all can.
    """

    leaderboard: pd.DataFrame
    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison]
    n_disagreements: int
    crops: Mapping[str, bytes]
    problem: str


def build_comparison_document(content: ModelComparison) -> Document:
    """Build the report on models against each other."""
    first = content.evaluations[0]
    names = ", ".join(evaluation.protocol.model for evaluation in content.evaluations)
    title = f"{format_count(len(content.evaluations), 'model')} on {words.describe_dataset(first.protocol)}"
    return Document(
        title,
        f"{names}, on {words.describe_sample(first.report)}. {first.protocol.created[:10]}. {INTENDED_USE}",
        [
            Section("Which model is better?", _build_verdict(content)),
            Section("Leaderboard", _build_leaderboard(content.leaderboard)),
            Section("Confusion matrices", _build_confusion_matrices(content.evaluations)),
            Section("Disagreements", _build_disagreements(content)),
            Section("How to repeat this comparison", _build_reproduction(content.evaluations)),
        ],
        footer=f"{INTENDED_USE} {title}",
    )


def _build_verdict(content: ModelComparison) -> list[Block]:
    blocks: list[Block] = [
        Alert(f"{evaluation.protocol.model}: {leak.describe()[0]}", is_mild=not leak.n_leaking)
        for evaluation in content.evaluations
        if not (leak := evaluation.protocol.leak).is_clean
    ]
    first = content.evaluations[0]
    sentences = [comparison.pair_sentence for comparison in content.comparisons]
    sentences += words.list_remarks(first.protocol, first.report)
    table = Table(compare_words.TESTS_HEADER, compare_words.format_test_rows(content.comparisons))
    return [*blocks, *map(Paragraph, sentences), table, Paragraph(compare_words.TESTS_NOTE, is_note=True)]


def _build_leaderboard(leaderboard: pd.DataFrame) -> list[Block]:
    rows = []
    metrics = {}
    for entry in leaderboard.itertuples(index=False):
        interval = _find_interval(entry.accuracy_low, entry.accuracy_high)
        balanced_interval = _find_interval(entry.balanced_accuracy_low, entry.balanced_accuracy_high)
        metrics[f"{entry.model}, accuracy"] = Metric(entry.accuracy, interval)
        metrics[f"{entry.model}, balanced"] = Metric(entry.balanced_accuracy, balanced_interval)
        rows.append(
            (
                entry.model,
                format_percent(entry.accuracy),
                format_interval(interval),
                format_percent(entry.balanced_accuracy),
                format_interval(balanced_interval),
                format_number(None if pd.isna(entry.ece) else entry.ece),
                format_percent(entry.flagged_for_review),
                _format_digits(entry.size_mb, 1),
                _format_digits(entry.parameters, 0),
                _format_digits(entry.training_s / 60, 0),
                _format_digits(entry.ms_per_image, 1),
                "not known" if pd.isna(entry.leaking_images) else _format_digits(entry.leaking_images, 0),
            )
        )
    chart = Chart(
        "accuracies", partial(plot_accuracies, leaderboard), partial(pdf_charts.draw_metric_intervals, metrics)
    )
    widths = (0.105, 0.075, 0.125, 0.085, 0.125, 0.05, 0.075, 0.05, 0.09, 0.07, 0.065, 0.085)
    return [Table(_LEADERBOARD_HEADER, rows, widths=widths), Paragraph(_LEADERBOARD_NOTE, is_note=True), chart]


def _find_interval(low: float, high: float) -> tuple[float, float] | None:
    return None if pd.isna(low) or pd.isna(high) else (low, high)


def _format_digits(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:,.{digits}f}"


def _build_confusion_matrices(evaluations: Sequence[Evaluation]) -> list[Block]:
    first = evaluations[0]
    matrices: list[list[Block]] = [
        [
            Heading(evaluation.protocol.model),
            build_matrix_chart(f"matrix-{_spell_number(number)}", evaluation.report.confusion, evaluation.class_names),
        ]
        for number, evaluation in enumerate(evaluations)
    ]
    differences: list[list[Block]] = [
        [
            Heading(f"{evaluation.protocol.model} minus {first.protocol.model}, in images"),
            Chart(
                f"difference-{_spell_number(number)}",
                partial(
                    plot_confusion_difference, first.report.confusion, evaluation.report.confusion, first.class_names
                ),
            ),
            Paragraph("Blue: better than the first model. Orange: worse.", is_note=True),
        ]
        for number, evaluation in enumerate(evaluations)
        if number and evaluation.class_names == first.class_names
    ]
    return [Columns(matrices), *([Columns(differences)] if differences else [])]


def _spell_number(number: int) -> str:
    """Spell a number in letters, as the names of charts are written."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _build_disagreements(content: ModelComparison) -> list[Block]:
    if not content.n_disagreements:
        return [Paragraph("All models predict the same class for every image.")]
    n_shown, n_all = len(content.crops), content.n_disagreements
    which = "All of them are shown" if n_shown == n_all else f"{n_shown} of them are shown"
    sentence = (
        f"The models disagree on {format_count(n_all, 'image')}. {which}: true class, then the predicted class of each"
        " model and its probability."
    )
    tables = [evaluation.prediction_table.set_index("file") for evaluation in content.evaluations]
    names = [evaluation.protocol.model for evaluation in content.evaluations]
    captions = {}
    for file in content.crops:
        predictions = [
            f"{name}: {compare_words.describe_prediction(table.loc[file])}"
            for name, table in zip(names, tables, strict=True)
        ]
        captions[file] = f"{theme.format_label(tables[0].loc[file, 'label'])}. {'; '.join(predictions)}"
    blocks: list[Block] = [Paragraph(sentence), *([Paragraph(content.problem)] if content.problem else [])]
    thumbnails = [Thumbnail(jpeg, file, captions[file]) for file, jpeg in content.crops.items() if jpeg]
    blocks += [Images(thumbnails, N_COLUMNS)] if thumbnails else []
    others = [(file, captions[file]) for file, jpeg in content.crops.items() if not jpeg]
    return blocks + ([Table(("Image", "True and predicted classes"), others, n_text=2)] if others else [])


def _build_reproduction(evaluations: Sequence[Evaluation]) -> list[Block]:
    sentence, command, _ = words.describe_reproduction(evaluations[0].protocol)
    commands = [Code(command)] if command else []
    return [Paragraph(sentence), *commands, *map(build_provenance_table, evaluations)]
