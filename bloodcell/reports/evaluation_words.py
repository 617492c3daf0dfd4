"""An evaluation in words and tables of words: the same on the pages, in the HTML report and in the PDF."""

import json
import shlex
from collections.abc import Callable
from typing import Any, Final

from bloodcell.core.labels import CONFIDENT
from bloodcell.evaluation.confident_errors import WrongAnswer
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.reliability import BINS, HowSure, risk_area
from bloodcell.evaluation.metrics.status_metrics import status_rows
from bloodcell.plots.theme import STATUS_LOOKS, chart_words, label_words
from bloodcell.reports.numbers import bounds, counted, number, percent

FIGURES: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "kappa": "Cohen's kappa",
    "macro_precision": "Precision, classes equal",
    "macro_recall": "Recall, classes equal",
    "macro_f1": "F1, classes equal",
    "weighted_precision": "Precision, by pictures",
    "weighted_recall": "Recall, by pictures",
    "weighted_f1": "F1, by pictures",
    "roc_auc": "Area under ROC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "ece": "Calibration error (ECE)",
    "confident_right": "Right where confident",
    "held_back": "Held back",
    "wrong_not_confident": "Wrong ones that are held back",
}
_OF_CLASS: Final = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "Area under ROC",
    "average_precision": "Average precision",
}
INTERVALS: Final = (
    "95 % intervals by bootstrap: whole source cells are drawn, so copies of one cell count once. In grey the interval "
    "as if every picture were a cell of its own; where there are copies it is too narrow."
)
_GROUPS: Final = {"each": "every picture taken for a cell of its own", "pixels": "found from the pictures"}
FIGURES_HEADER: Final = ("Figure", "Value", "over source cells", "over pictures")
CLASSES_HEADER: Final = ("Class", "Pictures", "Source cells", *_OF_CLASS.values())
STATUSES_HEADER: Final = ("Status", "Pictures", "Wrong", "Right among them", "Of all wrong answers", "")


def figure_rows(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """All figures of a report, a row each under `FIGURES_HEADER`."""
    rows = [_figure_row(words, report["figures"][name]) for name, words in FIGURES.items()]
    rows.insert(1, _figure_row("Source cells, by vote", report["votes"] | {"plain_interval": None}))
    return rows


def _figure_row(words: str, one: dict[str, Any]) -> tuple[str, str, str, str]:
    return words, number(one["value"]), bounds(one["interval"]), bounds(one["plain_interval"])


def main_and_recalls(
    report: dict[str, Any], class_words: Callable[[str], str] = chart_words
) -> dict[str, dict[str, Any]]:
    """What is drawn with intervals: accuracy, balanced accuracy and the recall of each class, called by `class_words`."""
    main = {FIGURES[name]: report["figures"][name] for name in ("accuracy", "balanced_accuracy")}
    return main | {f"Recall, {class_words(name).lower()}": one["recall"] for name, one in report["classes"].items()}


def class_rows(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The figures of each class, a row each under `CLASSES_HEADER`; pictures and source cells are numbers."""
    rows = []
    for name, one in report["classes"].items():
        figures = []
        for figure in _OF_CLASS:
            interval = bounds(one[figure]["interval"])
            figures.append(number(one[figure]["value"]) + (f" ({interval})" if interval else ""))
        rows.append((label_words(name), one["support"], one["source_cells"], *figures))
    return rows


def status_table(answers: Predictions) -> list[tuple[Any, ...]]:
    """What each status catches and misses, a row each under `STATUSES_HEADER`; counts are numbers."""
    return [
        (
            STATUS_LOOKS[one.status].word if one.status else "No answer",
            one.pictures,
            one.wrong,
            percent(one.right_share),
            percent(one.share_of_wrong),
            "missed" if one.status == CONFIDENT else "caught",
        )
        for one in status_rows(answers)
    ]


def calibration_words(report: dict[str, Any]) -> str:
    """What stands below the reliability diagram."""
    ece = report["figures"]["ece"]
    interval = f" ({bounds(ece['interval'])})" if ece["interval"] else ""
    return (
        f"Calibration error (ECE, {BINS} bins) {number(ece['value'])}{interval}. Bars below the dotted line: the model says"
        " more than it knows. Large points: many pictures."
    )


def risk_words(sure: HowSure) -> str:
    """What stands below the curve of risk against coverage."""
    return (
        f"Mean over all shares (area under the curve) {risk_area(sure.coverage, sure.risk):.4f}. The diamond is what the"
        " statuses let through: below the line they choose better than the probability alone."
    )


def confident_point(sure: HowSure) -> dict[str, tuple[float, float]]:
    """The Confident pictures as a point of that curve; empty where there are none."""
    return {} if sure.confident is None else {"Confident pictures": sure.confident}


def judged_words(protocol: dict[str, Any]) -> str:
    """The dataset and its part."""
    return protocol["dataset"] + (f", {protocol['part']}" if protocol["part"] else "")


def remarks(protocol: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """What one has to know of how it was judged: pictures without an answer, left out, taken for cells of their own."""
    found = []
    if report["not_answered"]:
        found.append(f"{counted(report['not_answered'], 'picture')} without an answer, counted as wrong.")
    if protocol["left_out"]:
        some = ", ".join(f"{name} {n:,}" for name, n in sorted(protocol["left_out"].items()))
        found.append(f"Left out, as the model does not know their classes: {some}.")
    if protocol["left_out_marked"]:
        found.append(f"{counted(len(protocol['left_out_marked']), 'picture')} marked as label errors left out.")
    if protocol["groups"] == "each":
        found.append("Every picture was taken for a cell of its own.")
    return found


def wrong_words(one: WrongAnswer) -> str:
    """The caption of a wrong answer: label, answer, probability."""
    said = (
        f"called {label_words(one.prediction).lower()} {100 * one.probability:.1f} %" if one.prediction else "no answer"
    )
    return f"{label_words(one.label)}, {said}"


def made_of(protocol: dict[str, Any]) -> list[tuple[str, str]]:
    """What the evaluation was made of and with: (what, value) each, fingerprints in full."""
    members = protocol.get("members") or ()
    rows = [("Model", protocol["model"])]
    rows += [(f"SHA-256 of the model {one['model']}", one["model_sha256"]) for one in members]
    rows += [] if members else [("SHA-256 of the model", protocol["model_sha256"])]
    rows += [("Dataset", judged_words(protocol))]
    rows += [("Fingerprint of the dataset", protocol["dataset_sha256"])] if protocol.get("dataset_sha256") else []
    rows += [("SHA-256 of what was judged", protocol["images_sha256"])]
    rows += [("Copies of one cell", _GROUPS.get(protocol["groups"], protocol["groups"]))]
    rows += [("Judged (UTC)", protocol["created"])]
    rows += [("Pictures a second", f"{protocol['images_per_s']:.1f}")] if protocol.get("images_per_s") else []
    rows += [("Revision of Bloodcell", protocol["revision"])]
    return rows + [(f"Version of {name}", version) for name, version in sorted(protocol["versions"].items())]


def repeat_words(protocol: dict[str, Any]) -> tuple[str, str, str]:
    """How to repeat it: a sentence, the command, and the contents of the file spec.json that it names ("" for none)."""
    if protocol.get("members"):
        names = ", ".join(one["model"] for one in protocol["members"])
        said = f"An ensemble: the mean of the answers of {names}. Evaluate each on these pictures; Compare joins them."
        return said, "", ""
    n_marked = len(protocol["left_out_marked"])
    but = f" Then leave out the {counted(n_marked, 'picture')} marked as label errors." if n_marked else ""
    if protocol.get("command"):
        return f"In the folder of Bloodcell:{but}", protocol["command"], ""
    if not protocol.get("spec"):
        return "How it was asked for is not kept.", "", ""
    data_dir = shlex.quote(protocol.get("data_dir") or ".")
    command = f"python -m bloodcell jobs submit spec.json --kind evaluate --data {data_dir}"
    text = json.dumps(protocol["spec"], indent=2, ensure_ascii=False)
    return f"In the folder of Bloodcell, with the file spec.json below:{but}", command, text
