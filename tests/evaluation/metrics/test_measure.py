"""The whole report of a model's predictions: against scikit-learn, and what it does where a metric is undefined."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.report import Metric

NAMES = ("A", "B", "C")


def made(n: int = 240, copies: int = 8, seed: int = 0) -> Predictions:
    """Cells of three classes, each photographed `copies` times and predicted nearly alike."""
    rng = np.random.default_rng(seed)
    cells = n // copies
    true = np.repeat(rng.integers(3, size=cells), copies)
    logits = np.repeat(rng.normal(size=(cells, 3)), copies, axis=0) + 0.1 * rng.normal(size=(n, 3))
    logits[np.arange(n), true] += 1.0
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    status = np.where(probs.max(axis=1) > 0.5, "confident", "check")
    return Predictions(NAMES, true, probs.argmax(axis=1), probs, status, np.repeat(np.arange(cells), copies))


def test_metrics_are_scikit_learns():
    one = made()
    found = compute_report(one, n_draws=50, n_area_draws=20)
    assert found.metrics["log_loss"].value == pytest.approx(log_loss(one.y_true, one.probs), abs=1e-4)
    macro = roc_auc_score(one.y_true, one.probs, multi_class="ovr", average="macro")
    assert found.metrics["roc_auc"].value == pytest.approx(macro, abs=1e-4)
    for index, name in enumerate(NAMES):
        area = average_precision_score(one.y_true == index, one.probs[:, index])
        assert found.classes[name].average_precision.value == pytest.approx(area, abs=1e-4)
    assert (found.n_images, found.n_source_cells, found.effective_sample_size) == (240, 30, 30.0)
    json.dumps(found.to_dict(), allow_nan=False)


def test_every_metric_lies_in_its_intervals_and_copies_widen_them():
    found = compute_report(made(), n_draws=400, n_area_draws=100)
    for name, one in found.metrics.items():
        assert one.interval[0] <= one.value <= one.interval[1] or name == "ece", name
        cells, images = (np.diff(bounds)[0] for bounds in (one.interval, one.image_interval))
        assert cells > 1.5 * images, name


def test_the_same_predictions_give_the_same_report():
    assert compute_report(made(), 30, 10) == compute_report(made(), 30, 10)


def test_metrics_that_are_undefined_are_null():
    one = made()
    rows = one.y_true != 2
    few = Predictions(NAMES, one.y_true[rows], one.y_pred[rows], one.probs[rows], one.status[rows], one.groups[rows])
    found = compute_report(few, 20, 10)
    assert found.classes["C"].recall == Metric(None, None, None)
    assert found.classes["C"].roc_auc.value is None
    assert found.metrics["roc_auc"].value is not None
    json.dumps(found.to_dict(), allow_nan=False)


def test_no_prediction_at_all():
    n = 6
    one = Predictions(
        NAMES,
        np.arange(n) % 3,
        np.full(n, NO_PREDICTION),
        np.zeros((n, 3)),
        np.full(n, ""),
        np.arange(n),
    )
    found = compute_report(one, 20, 10)
    assert found.metrics["accuracy"].value == 0
    assert found.metrics["log_loss"].value is None
    assert found.n_without_prediction == n
