"""An evaluation in words and tables of words: the same on the pages, in the HTML report and in the PDF."""

import json
import shlex
from collections.abc import Callable
from typing import Any, Final

from bloodcell.core.labels import CONFIDENT
from bloodcell.evaluation.confident_errors import WrongPrediction
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.reliability import N_BINS, ConfidenceAnalysis, risk_coverage_area
from bloodcell.evaluation.metrics.status_metrics import count_by_status
from bloodcell.plots.theme import STATUS_STYLES, format_chart_label, format_label
from bloodcell.reports.numbers import format_count, format_interval, format_number, format_percent

METRIC_TITLES: Final = {
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
_CLASS_METRICS: Final = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "Area under ROC",
    "average_precision": "Average precision",
}
INTERVALS_NOTE: Final = (
    "95 % intervals by bootstrap: whole source cells are drawn, so copies of one cell count once. In grey the interval "
    "as if every picture were a cell of its own; where there are copies it is too narrow."
)
_GROUPINGS: Final = {"each": "every picture taken for a cell of its own", "pixels": "found from the pictures"}
METRICS_HEADER: Final = ("Figure", "Value", "over source cells", "over pictures")
CLASSES_HEADER: Final = ("Class", "Pictures", "Source cells", *_CLASS_METRICS.values())
STATUSES_HEADER: Final = ("Status", "Pictures", "Wrong", "Right among them", "Of all wrong answers", "")


def format_metric_rows(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """All figures of a report, a row each under `METRICS_HEADER`."""
    rows = [_format_metric_row(words, report["figures"][name]) for name, words in METRIC_TITLES.items()]
    rows.insert(1, _format_metric_row("Source cells, by vote", report["votes"] | {"plain_interval": None}))
    return rows


def _format_metric_row(words: str, one: dict[str, Any]) -> tuple[str, str, str, str]:
    return words, format_number(one["value"]), format_interval(one["interval"]), format_interval(one["plain_interval"])


def select_main_metrics(
    report: dict[str, Any], format_class: Callable[[str], str] = format_chart_label
) -> dict[str, dict[str, Any]]:
    """What is drawn with intervals: accuracy, balanced accuracy and the recall of each class, called by `format_class`."""
    main = {METRIC_TITLES[name]: report["figures"][name] for name in ("accuracy", "balanced_accuracy")}
    return main | {f"Recall, {format_class(name).lower()}": one["recall"] for name, one in report["classes"].items()}


def format_class_rows(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The figures of each class, a row each under `CLASSES_HEADER`; pictures and source cells are numbers."""
    rows = []
    for name, one in report["classes"].items():
        metrics = []
        for metric in _CLASS_METRICS:
            interval = format_interval(one[metric]["interval"])
            metrics.append(format_number(one[metric]["value"]) + (f" ({interval})" if interval else ""))
        rows.append((format_label(name), one["support"], one["source_cells"], *metrics))
    return rows


def format_status_rows(predictions: Predictions) -> list[tuple[Any, ...]]:
    """What each status catches and misses, a row each under `STATUSES_HEADER`; counts are numbers."""
    return [
        (
            STATUS_STYLES[one.status].word if one.status else "No answer",
            one.n_images,
            one.wrong,
            format_percent(one.accuracy),
            format_percent(one.share_of_wrong),
            "missed" if one.status == CONFIDENT else "caught",
        )
        for one in count_by_status(predictions)
    ]


def describe_calibration(report: dict[str, Any]) -> str:
    """What stands below the reliability diagram."""
    ece = report["figures"]["ece"]
    interval = f" ({format_interval(ece['interval'])})" if ece["interval"] else ""
    return (
        f"Calibration error (ECE, {N_BINS} bins) {format_number(ece['value'])}{interval}. Bars below the dotted line: the model says"
        " more than it knows. Large points: many pictures."
    )


def describe_risk(analysis: ConfidenceAnalysis) -> str:
    """What stands below the curve of risk against coverage."""
    return (
        f"Mean over all shares (area under the curve) {risk_coverage_area(analysis.coverage, analysis.risk):.4f}. The diamond is what the"
        " statuses let through: below the line they choose better than the probability alone."
    )


def find_confident_point(analysis: ConfidenceAnalysis) -> dict[str, tuple[float, float]]:
    """The Confident pictures as a point of that curve; empty where there are none."""
    return {} if analysis.confident is None else {"Confident pictures": analysis.confident}


def describe_dataset(protocol: dict[str, Any]) -> str:
    """The dataset and its part."""
    return protocol["dataset"] + (f", {protocol['part']}" if protocol["part"] else "")


def list_remarks(protocol: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """What one has to know of how it was judged: pictures without an answer, left out, taken for cells of their own."""
    lines = []
    if report["not_answered"]:
        lines.append(f"{format_count(report['not_answered'], 'picture')} without an answer, counted as wrong.")
    if protocol["left_out"]:
        some = ", ".join(f"{name} {n:,}" for name, n in sorted(protocol["left_out"].items()))
        lines.append(f"Left out, as the model does not know their classes: {some}.")
    if protocol["left_out_marked"]:
        lines.append(f"{format_count(len(protocol['left_out_marked']), 'picture')} marked as label errors left out.")
    if protocol["groups"] == "each":
        lines.append("Every picture was taken for a cell of its own.")
    return lines


def describe_wrong_prediction(one: WrongPrediction) -> str:
    """The caption of a wrong answer: label, answer, probability."""
    sentence = (
        f"called {format_label(one.prediction).lower()} {100 * one.probability:.1f} %"
        if one.prediction
        else "no answer"
    )
    return f"{format_label(one.label)}, {sentence}"


def list_provenance(protocol: dict[str, Any]) -> list[tuple[str, str]]:
    """What the evaluation was made of and with: (what, value) each, fingerprints in full."""
    members = protocol.get("members") or ()
    rows = [("Model", protocol["model"])]
    rows += [(f"SHA-256 of the model {one['model']}", one["model_sha256"]) for one in members]
    rows += [] if members else [("SHA-256 of the model", protocol["model_sha256"])]
    rows += [("Dataset", describe_dataset(protocol))]
    rows += [("Fingerprint of the dataset", protocol["dataset_sha256"])] if protocol.get("dataset_sha256") else []
    rows += [("SHA-256 of what was judged", protocol["images_sha256"])]
    rows += [("Copies of one cell", _GROUPINGS.get(protocol["groups"], protocol["groups"]))]
    rows += [("Judged (UTC)", protocol["created"])]
    rows += [("Pictures a second", f"{protocol['images_per_s']:.1f}")] if protocol.get("images_per_s") else []
    rows += [("Revision of Bloodcell", protocol["revision"])]
    return rows + [(f"Version of {name}", version) for name, version in sorted(protocol["versions"].items())]


def describe_reproduction(protocol: dict[str, Any]) -> tuple[str, str, str]:
    """How to repeat it: a sentence, the command, and the contents of the file spec.json that it names ("" for none)."""
    if protocol.get("members"):
        names = ", ".join(one["model"] for one in protocol["members"])
        sentence = (
            f"An ensemble: the mean of the answers of {names}. Evaluate each on these pictures; Compare joins them."
        )
        return sentence, "", ""
    n_marked = len(protocol["left_out_marked"])
    exclusion = f" Then leave out the {format_count(n_marked, 'picture')} marked as label errors." if n_marked else ""
    if protocol.get("command"):
        return f"In the folder of Bloodcell:{exclusion}", protocol["command"], ""
    if not protocol.get("spec"):
        return "How it was asked for is not kept.", "", ""
    data_dir = shlex.quote(protocol.get("data_dir") or ".")
    command = f"python -m bloodcell jobs submit spec.json --kind evaluate --data {data_dir}"
    text = json.dumps(protocol["spec"], indent=2, ensure_ascii=False)
    return f"In the folder of Bloodcell, with the file spec.json below:{exclusion}", command, text
