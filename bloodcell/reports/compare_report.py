"""The report on models against each other as HTML: verdict, leaderboard, tests, matrices, disagreements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bloodcell.evaluation.compare import Comparison
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leak_check import LeakFound
from bloodcell.plots import theme
from bloodcell.plots.confusion import confusion_difference, confusion_matrix
from bloodcell.plots.evaluation import accuracies
from bloodcell.reports import compare_words, html_page
from bloodcell.reports import evaluation_words as words
from bloodcell.reports.evaluation_report import USE
from bloodcell.reports.numbers import bounds, counted, number, percent

MOST: Final = 48  # pictures on which they disagree
N_COLUMNS: Final = 6
_BOARD: Final = (
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
class Compared:
    """What the report tells.

    board : as `evaluation.leaderboard.leaderboard` gives it
    evaluations : of the models in the order asked for, of the same pictures in the same order
    comparisons : each of the others against the first
    n_differ : pictures on which they do not all say the same
    crops : file -> JPEG (b"" for none) of some of them
    problem : why some have no picture, "" if all have one
    """

    board: pd.DataFrame
    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison]
    n_differ: int
    crops: Mapping[str, bytes]
    problem: str


def compare_report(found: Compared) -> bytes:
    """Write the report as one HTML file that fetches nothing; bytes in UTF-8."""
    first = found.evaluations[0]
    names = ", ".join(one.protocol["model"] for one in found.evaluations)
    report = first.report
    return html_page.page(
        f"{counted(len(found.evaluations), 'model')} on {words.judged_words(first.protocol)}",
        f"{names}, on {counted(report['images'], 'picture')} of {counted(report['source_cells'], 'source cell')}, which tell"
        f" as much as {report['effective_cells']:,.0f} independent cells. {first.protocol['created'][:10]}. {USE}.",
        [
            ("Which is better", _verdict(found)),
            ("Leaderboard", _board(found.board)),
            ("Confusion matrices", _matrices(found.evaluations)),
            ("Disagreements", _disagreements(found)),
            ("How to repeat it", _repeat(found.evaluations)),
        ],
    )


def _verdict(found: Compared) -> list[str]:
    parts = []
    for one in found.evaluations:
        leak = LeakFound.from_json(one.protocol["leak"])
        if leak.leaking or not leak.is_known:
            said = f"{one.protocol['model']}: {leak.sentences()[0]}"
            parts.append(html_page.warning(said, is_mild=not leak.leaking))
    parts += [html_page.words(one.pair_sentence) for one in found.comparisons]
    parts += [
        html_page.words(said) for said in words.remarks(found.evaluations[0].protocol, found.evaluations[0].report)
    ]
    rows = [
        [f"{one:,}" if isinstance(one, int) else one for one in row]
        for row in compare_words.test_rows(found.comparisons)
    ]
    table = html_page.table(compare_words.TESTS_HEADER, rows)
    return [*parts, table, html_page.words(compare_words.TESTS, note=True)]


def _board(board: pd.DataFrame) -> list[str]:
    rows = [
        (
            one.model,
            percent(one.accuracy),
            bounds(_known(one.accuracy_low, one.accuracy_high)),
            percent(one.balanced_accuracy),
            bounds(_known(one.balanced_low, one.balanced_high)),
            number(None if pd.isna(one.ece) else one.ece),
            percent(one.held_back),
            _digits(one.size_mb, 1),
            _digits(one.parameters, 0),
            _digits(one.training_s / 60, 0),
            _digits(one.ms, 1),
            "not known" if pd.isna(one.leaking) else _digits(one.leaking, 0),
        )
        for one in board.itertuples(index=False)
    ]
    note = (
        "ms a picture: decoding, finding and naming, as measured when each was judged; machines are busy at times, so"
        " small differences mean nothing. Learned from: pictures of this set that the model has learned from."
    )
    chart = html_page.chart(accuracies(board), "accuracies")
    return [html_page.table(_BOARD, rows), html_page.words(note, note=True), chart]


def _known(low: float, high: float) -> list[float] | None:
    return None if pd.isna(low) or pd.isna(high) else [low, high]


def _digits(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:,.{digits}f}"


def _matrices(evaluations: Sequence[Evaluation]) -> list[str]:
    first = evaluations[0]
    shown = [
        html_page.heading(one.protocol["model"])
        + html_page.chart(confusion_matrix(one.report["confusion"], one.class_names), f"matrix-{_letters(at)}")
        for at, one in enumerate(evaluations)
    ]
    same = [(at, one) for at, one in enumerate(evaluations) if at and one.class_names == first.class_names]
    differences = [
        html_page.heading(f"{one.protocol['model']} less {first.protocol['model']}, in pictures")
        + html_page.chart(
            confusion_difference(first.report["confusion"], one.report["confusion"], first.class_names),
            f"difference-{_letters(at)}",
        )
        for at, one in same
    ]
    note = [html_page.words("Blue: better than the first model. Orange: worse.", note=True)] if same else []
    return [html_page.beside(shown), *([html_page.beside(differences)] if differences else []), *note]


def _letters(at: int) -> str:
    """A number as letters, as the names of charts are written."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(at))


def _disagreements(found: Compared) -> list[str]:
    if not found.n_differ:
        return [html_page.words("All models say the same of every picture.")]
    shown = f"here {len(found.crops)} of them" if len(found.crops) < found.n_differ else "here all of them"
    said = (
        f"The models do not all say the same of {counted(found.n_differ, 'picture')}; {shown}. First the label, then what each"
        " model says and how sure it is."
    )
    tables = [one.answers.set_index("file") for one in found.evaluations]
    names = [one.protocol["model"] for one in found.evaluations]
    captions = {}
    for file in found.crops:
        answers = [
            f"{name}: {compare_words.answer_words(table.loc[file])}" for name, table in zip(names, tables, strict=True)
        ]
        captions[file] = f"{theme.label_words(tables[0].loc[file, 'label'])}. {'; '.join(answers)}"
    parts = [html_page.words(said), *([html_page.words(found.problem)] if found.problem else [])]
    pictures = [(jpeg, file, captions[file]) for file, jpeg in found.crops.items() if jpeg]
    parts += [html_page.picture_row(pictures, N_COLUMNS)] if pictures else []
    others = [(file, captions[file]) for file, jpeg in found.crops.items() if not jpeg]
    return parts + ([html_page.table(("Picture", "Label and answers"), others, n_text=2)] if others else [])


def _repeat(evaluations: Sequence[Evaluation]) -> list[str]:
    said, command, _ = words.repeat_words(evaluations[0].protocol)
    parts = [html_page.words(said), *([html_page.code(command)] if command else [])]
    for one in evaluations:
        parts.append(html_page.table(("What", "Value"), words.made_of(one.protocol), n_text=2))
    return parts
