"""Reliability, risk against coverage, and statuses, by hand."""

import numpy as np
import pytest

from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.reliability import (
    StatusRow,
    analyse_confidence,
    count_by_status,
    reliability_bins,
    risk_coverage,
    risk_coverage_area,
)


def test_bins_by_hand():
    bins = reliability_bins(np.array([0.1, 0.55, 0.6, 1.0]), np.array([False, True, False, True]), n_bins=2)
    assert [(one.low, one.high, one.n_images) for one in bins] == [(0, 0.5, 1), (0.5, 1, 3)]
    assert bins[1].accuracy == pytest.approx(2 / 3)
    assert bins[1].confidence == pytest.approx((0.55 + 0.6 + 1) / 3)
    assert reliability_bins(np.array([]), np.array([], bool)) == []


def test_risk_against_coverage_by_hand():
    coverage, risk = risk_coverage(np.array([0.9, 0.5, 0.8, 0.5]), np.array([True, False, False, True]))
    assert coverage.tolist() == [0.25, 0.5, 1.0]  # both with 0.5 are kept or neither
    assert risk.tolist() == [0, 0.5, 0.5]
    assert risk_coverage_area(coverage, risk) == pytest.approx(0.25 * 0 + 0.25 * 0.5 + 0.5 * 0.5)
    coverage, risk = risk_coverage(np.array([]), np.array([], bool))
    assert len(coverage) == len(risk) == 0
    assert np.isnan(risk_coverage_area(coverage, risk))


def predictions():
    """Four images: confident and correct, confident and wrong, check and correct, no prediction."""
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0, 0]], np.float32)
    status = np.array(["confident", "confident", "check", ""])
    y_pred = np.array([0, 0, 1, NO_PREDICTION])
    return Predictions(("A", "B"), np.array([0, 1, 1, 1]), y_pred, probs, status, np.arange(4))


def test_confident_images_are_a_point_of_the_curve():
    analysis = analyse_confidence(predictions())
    assert analysis.confident == (pytest.approx(2 / 3), 0.5)
    assert analysis.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert analysis.risk == pytest.approx([0, 1 / 2, 1 / 3])
    assert sum(each.n_images for each in analysis.bins) == 3


def test_without_a_prediction_there_is_nothing_to_analyse():
    nothing = Predictions(
        ("A",), np.zeros(2, int), np.full(2, NO_PREDICTION), np.zeros((2, 1)), np.full(2, ""), np.arange(2)
    )
    assert analyse_confidence(nothing) is None


def test_images_and_errors_of_each_status():
    rows = count_by_status(predictions())
    assert rows == [
        StatusRow("confident", 2, 1, 2),
        StatusRow("check", 1, 0, 2),
        StatusRow("unfamiliar", 0, 0, 2),
        StatusRow("", 1, 1, 2),
    ]
    assert [row.accuracy for row in rows] == [0.5, 1, None, 0]
    assert [row.share_of_errors for row in rows] == [0.5, 0, 0, 0.5]
    assert StatusRow("check", 1, 0, 0).share_of_errors is None
