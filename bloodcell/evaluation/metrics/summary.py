"""The figures of metrics.json, which a model's folder keeps: those of the report, short."""

from typing import Any

from bloodcell.evaluation.metrics.measure import AREA_DRAWS, report
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.resampling import DRAWS


def figures(predictions: Predictions, n_draws: int = DRAWS) -> dict[str, Any]:
    """Judge a model by its answers, as `figures_of` tells it; `n_draws` bootstrap samples."""
    return figures_of(report(predictions, n_draws, min(n_draws, AREA_DRAWS)))


def figures_of(judged: dict[str, Any]) -> dict[str, Any]:
    """Every figure of metrics.json.

    Parameters
    ----------
    judged : what `evaluation.metrics.measure.report` returned

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
    found = judged["figures"]
    return {
        "images": judged["images"],
        "source_cells": judged["source_cells"],
        "not_answered": judged["not_answered"],
        "accuracy": found["accuracy"]["value"],
        "interval": found["accuracy"]["interval"],
        "plain_interval": found["accuracy"]["plain_interval"],
        "balanced_accuracy": found["balanced_accuracy"]["value"],
        "balanced_interval": found["balanced_accuracy"]["interval"],
        "recall": {
            name: {
                "recall": one["recall"]["value"],
                "interval": one["recall"]["interval"],
                "images": one["support"],
                "source_cells": one["source_cells"],
            }
            for name, one in judged["classes"].items()
        },
        "vote_accuracy": judged["votes"]["value"],
        "vote_interval": judged["votes"]["interval"],
        "ece": found["ece"]["value"],
        **{name: found[name]["value"] for name in ("confident_right", "held_back", "wrong_not_confident")},
        "status": judged["status"],
        "confusion": judged["confusion"],
    }
