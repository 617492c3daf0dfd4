"""The figures of metrics.json, which a model's folder keeps: those of the report, short."""

from typing import Any

from bloodcell.evaluation.metrics.measure import N_AREA_DRAWS, compute_report
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.resampling import N_DRAWS


def summarise_metrics(predictions: Predictions, n_draws: int = N_DRAWS) -> dict[str, Any]:
    """Judge a model by its answers, as `summarise_report` tells it; `n_draws` bootstrap samples."""
    return summarise_report(compute_report(predictions, n_draws, min(n_draws, N_AREA_DRAWS)))


def summarise_report(full_report: dict[str, Any]) -> dict[str, Any]:
    """Every figure of metrics.json.

    Parameters
    ----------
    judged : what `evaluation.metrics.measure.compute_report` returned

    Returns
    -------
    dict with
        images, source_cells, not_answered
        accuracy, interval : share of all images that are right, 95 % cluster bootstrap over source cells
        plain_interval : the same over images, as if copies were cells of their own; too narrow, shown for comparison
        balanced_accuracy, balanced_interval
        recall : per class {recall, interval, images, source_cells}
        vote_accuracy, vote_interval : share of source cells whose images are right by majority of summed probabilities
        ece : expected calibration error of the answered images
        confident_right : accuracy of the confident images (null if there are none)
        held_back : share of all images that are not confident
        wrong_not_confident : share of the wrong images that are not confident (null if none is wrong)
        status : images of each status
        confusion : counts, rows true, columns predicted, the last column not answered
    """
    metrics = full_report["figures"]
    return {
        "images": full_report["images"],
        "source_cells": full_report["source_cells"],
        "not_answered": full_report["not_answered"],
        "accuracy": metrics["accuracy"]["value"],
        "interval": metrics["accuracy"]["interval"],
        "plain_interval": metrics["accuracy"]["plain_interval"],
        "balanced_accuracy": metrics["balanced_accuracy"]["value"],
        "balanced_interval": metrics["balanced_accuracy"]["interval"],
        "recall": {
            name: {
                "recall": class_metrics["recall"]["value"],
                "interval": class_metrics["recall"]["interval"],
                "images": class_metrics["support"],
                "source_cells": class_metrics["source_cells"],
            }
            for name, class_metrics in full_report["classes"].items()
        },
        "vote_accuracy": full_report["votes"]["value"],
        "vote_interval": full_report["votes"]["interval"],
        "ece": metrics["ece"]["value"],
        **{name: metrics[name]["value"] for name in ("confident_right", "held_back", "wrong_not_confident")},
        "status": full_report["status"],
        "confusion": full_report["confusion"],
    }
