"""An evaluation in words and in tables of words: the same on the pages and in the reports."""

import json
import shlex
from collections.abc import Callable
from typing import Final

from bloodcell.core.labels import CONFIDENT
from bloodcell.evaluation.confident_errors import WrongPrediction
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.reliability import N_BINS, ConfidenceAnalysis, count_by_status, risk_coverage_area
from bloodcell.evaluation.metrics.report import EvaluationReport, Metric
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.plots.theme import STATUS_STYLES, format_chart_label, format_label
from bloodcell.reports.numbers import format_count, format_interval, format_number, format_percent

METRIC_TITLES: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "kappa": "Cohen's kappa",
    "macro_precision": "Precision, macro average",
    "macro_recall": "Recall, macro average",
    "macro_f1": "F1, macro average",
    "weighted_precision": "Precision, weighted average",
    "weighted_recall": "Recall, weighted average",
    "weighted_f1": "F1, weighted average",
    "roc_auc": "Area under the ROC curve",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "ece": "Calibration error (ECE)",
    "confident_accuracy": "Accuracy of confident images",
    "flagged_for_review": "Flagged for review",
    "errors_flagged": "Errors flagged for review",
}
_CLASS_METRICS: Final = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
}
INTERVALS_NOTE: Final = (
    "95 % intervals by bootstrap over source cells, so copies of one cell count once. In grey: the interval over single "
    "images, which is too narrow where there are copies."
)
METRICS_HEADER: Final = ("Metric", "Value", "95 % interval over source cells", "95 % interval over images")
CLASSES_HEADER: Final = ("Class", "Images", "Source cells", *_CLASS_METRICS.values())
STATUSES_HEADER: Final = ("Status", "Images", "Errors", "Accuracy", "Share of all errors", "Flagged for review")
NO_PREDICTION_TITLE: Final = "No prediction"
_GROUPINGS: Final = {
    "each": "every image counted as a cell of its own",
    "pixels": "found by comparing the pixels",
    "kept": "as stored with the dataset",
}


def format_metric_rows(report: EvaluationReport) -> list[tuple[str, str, str, str]]:
    """Return all metrics of a report, a row each under `METRICS_HEADER`."""
    rows = [_format_metric_row(title, report.metrics[name]) for name, title in METRIC_TITLES.items()]
    rows.insert(1, _format_metric_row("Accuracy per source cell (mean probability)", report.vote_accuracy))
    return rows


def _format_metric_row(title: str, metric: Metric) -> tuple[str, str, str, str]:
    intervals = (format_interval(metric.interval), format_interval(metric.image_interval))
    return title, format_number(metric.value), *intervals


def select_main_metrics(
    report: EvaluationReport, format_class: Callable[[str], str] = format_chart_label
) -> dict[str, Metric]:
    """Select what is drawn with intervals: accuracy, balanced accuracy and the recall of each class.

    Parameters
    ----------
    report : EvaluationReport
    format_class : callable, default `format_chart_label`
        Makes the name that people read of a class name.

    Returns
    -------
    dict of str to Metric
        By title.
    """
    main = {METRIC_TITLES[name]: report.metrics[name] for name in ("accuracy", "balanced_accuracy")}
    return main | {f"Recall, {format_class(name)}": each.recall for name, each in report.classes.items()}


def format_class_rows(report: EvaluationReport) -> list[tuple[str | int, ...]]:
    """Return the metrics of each class, a row each under `CLASSES_HEADER`; counts are numbers."""
    rows: list[tuple[str | int, ...]] = []
    for name, class_report in report.classes.items():
        cells = []
        for metric_name in _CLASS_METRICS:
            metric: Metric = getattr(class_report, metric_name)
            interval = format_interval(metric.interval)
            cells.append(format_number(metric.value) + (f" ({interval})" if interval else ""))
        rows.append((format_label(name), class_report.n_images, class_report.n_source_cells, *cells))
    return rows


def format_status_rows(predictions: Predictions) -> list[tuple[str | int, ...]]:
    """Return what each status flags and misses, a row each under `STATUSES_HEADER`; counts are numbers."""
    return [
        (
            STATUS_STYLES[row.status].word if row.status else NO_PREDICTION_TITLE,
            row.n_images,
            row.n_errors,
            format_percent(row.accuracy),
            format_percent(row.share_of_errors),
            "no" if row.status == CONFIDENT else "yes",
        )
        for row in count_by_status(predictions)
    ]


def describe_sample(report: EvaluationReport) -> str:
    """Return how many images of how many source cells were evaluated, and what they are worth."""
    return (
        f"{format_count(report.n_images, 'image')} of {format_count(report.n_source_cells, 'source cell')}; effective"
        f" sample size {report.effective_sample_size:,.0f}"
    )


def describe_calibration(report: EvaluationReport) -> str:
    """Return the caption of the reliability diagram."""
    ece = report.metrics["ece"]
    interval = f" ({format_interval(ece.interval)})" if ece.interval else ""
    return (
        f"Calibration error (ECE, {N_BINS} bins): {format_number(ece.value)}{interval}. Where bars stay below the dotted"
        " line, the model is overconfident. Larger points stand for more images."
    )


def describe_risk(analysis: ConfidenceAnalysis) -> str:
    """Return the caption of the risk-coverage curve."""
    area = risk_coverage_area(analysis.coverage, analysis.risk)
    return (
        f"Area under the curve (mean error rate over all coverages): {area:.4f}. The diamond marks the images with the"
        " status Confident; below the curve, the status selects better than the probability alone."
    )


def find_confident_point(analysis: ConfidenceAnalysis) -> dict[str, tuple[float, float]]:
    """Return the confident images as a point of that curve; empty where there are none."""
    return {} if analysis.confident is None else {"Confident images": analysis.confident}


def describe_dataset(protocol: EvaluationProtocol) -> str:
    """Return the dataset and its part."""
    return protocol.dataset + (f", {protocol.part}" if protocol.part else "")


def list_remarks(protocol: EvaluationProtocol, report: EvaluationReport) -> list[str]:
    """Return what readers must know of the evaluation: no predictions, exclusions, groups that were not told apart."""
    lines = []
    if report.n_without_prediction:
        lines.append(f"{format_count(report.n_without_prediction, 'image')} without a prediction, counted as errors.")
    if protocol.excluded_labels:
        counts = ", ".join(f"{format_label(name)} {n:,}" for name, n in sorted(protocol.excluded_labels.items()))
        lines.append(f"Left out, because the model does not know these classes: {counts}.")
    if protocol.excluded_files:
        lines.append(f"{format_count(len(protocol.excluded_files), 'image')} marked as label errors left out.")
    if protocol.groups == "each":
        lines.append("Every image was counted as a cell of its own.")
    return lines


def describe_wrong_prediction(wrong: WrongPrediction) -> str:
    """Return the caption of an error: true class, predicted class, probability."""
    if not wrong.prediction:
        return f"{format_label(wrong.label)}, no prediction"
    return f"{format_label(wrong.label)}, predicted {format_label(wrong.prediction)} {100 * wrong.probability:.1f} %"


def list_provenance(protocol: EvaluationProtocol) -> list[tuple[str, str]]:
    """Return what the evaluation was made of and with, as (what, value); hashes in full."""
    rows = [("Model", protocol.model)]
    rows += [(f"SHA-256 of the model {member.model}", member.model_sha256) for member in protocol.members]
    rows += [] if protocol.members else [("SHA-256 of the model", protocol.model_sha256)]
    rows += [("Dataset", describe_dataset(protocol))]
    rows += [("Content hash of the dataset", protocol.dataset_sha256)] if protocol.dataset_sha256 else []
    rows += [("SHA-256 of the evaluated images", protocol.images_sha256)]
    rows += [("Copies of one cell", _GROUPINGS.get(protocol.groups, protocol.groups))]
    rows += [("Evaluated (UTC)", protocol.created)]
    rows += [("Images per second", f"{protocol.images_per_s:.1f}")] if protocol.images_per_s else []
    rows += [("Revision of Bloodcell", protocol.revision)]
    return rows + [(f"Version of {name}", version) for name, version in sorted(protocol.versions.items())]


def describe_reproduction(protocol: EvaluationProtocol) -> tuple[str, str, str]:
    """Return how to repeat the evaluation.

    Returns
    -------
    sentence, command, spec_json : str
        What to do, the command, and the contents of the file spec.json that it names; "" where there is none.
    """
    if protocol.members:
        names = ", ".join(member.model for member in protocol.members)
        sentence = (
            f"This is an ensemble: the mean of the probabilities of {names}. Evaluate each model on these images, then"
            " combine them on the page Compare."
        )
        return sentence, "", ""
    n_excluded = len(protocol.excluded_files)
    exclusion = f" Then leave out the {format_count(n_excluded, 'image')} marked as label errors." if n_excluded else ""
    if protocol.command:
        return f"In the folder of Bloodcell, run the command below.{exclusion}", protocol.command, ""
    if not protocol.spec:
        return "The settings of this evaluation were not stored.", "", ""
    data_dir = shlex.quote(protocol.data_dir or ".")
    command = f"bloodcell jobs submit spec.json --kind evaluate --data {data_dir}"
    text = json.dumps(protocol.spec, indent=2, ensure_ascii=False)
    return (
        f"In the folder of Bloodcell, save the settings below as spec.json and run the command.{exclusion}",
        command,
        text,
    )
