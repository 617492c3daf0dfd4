"""Metrics of confusion matrices against scikit-learn, and draws of whole groups against a plain loop."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from bloodcell.evaluation.metrics.bootstrap import (
    draw_weights,
    effective_sample_size,
    percentile_interval,
    resample_statistic,
)
from bloodcell.evaluation.metrics.class_metrics import (
    compute_class_metrics,
    count_confusions,
    count_confusions_by_group,
)
from bloodcell.evaluation.metrics.ranking import average_precision, count_positives, rank_scores, roc_auc


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    y_true = rng.integers(4, size=300)
    y_pred = np.where(rng.random(300) < 0.7, y_true, rng.integers(4, size=300))
    return y_true, y_pred, np.sort(rng.integers(40, size=300))


def test_metrics_are_scikit_learns(predictions):
    y_true, y_pred, _ = predictions
    found = compute_class_metrics(count_confusions(y_true, y_pred, 4))
    for average, ours in ((None, None), ("macro", found.macro), ("weighted", found.weighted)):
        theirs = precision_recall_fscore_support(y_true, y_pred, average=average)
        mine = (found.precision, found.recall, found.f1) if ours is None else ours
        np.testing.assert_allclose(np.stack(theirs[:3]), np.stack(mine), rtol=1e-12)
    assert found.support.tolist() == np.bincount(y_true).tolist()
    assert found.accuracy == pytest.approx((y_true == y_pred).mean())
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(y_true, y_pred))
    assert found.kappa == pytest.approx(cohen_kappa_score(y_true, y_pred))


def test_no_prediction_is_an_error_and_of_no_class():
    # Two A (one right, one without a prediction), two B (right): by hand.
    found = compute_class_metrics(count_confusions(np.array([0, 0, 1, 1]), np.array([0, -1, 1, 1]), 2))
    assert found.recall.tolist() == [0.5, 1.0]
    assert found.precision.tolist() == [1.0, 1.0]
    assert found.accuracy == 0.75
    # Answers: A 1/4, B 2/4, none 1/4; truth: A 2/4, B 2/4. Chance 2/16 + 4/16 = 0.375; kappa (0.75 - 0.375) / 0.625.
    assert found.kappa == pytest.approx(0.6)


def test_a_class_without_images_is_left_out_of_means():
    found = compute_class_metrics(count_confusions(np.array([0, 0]), np.array([0, 1]), 2))
    assert np.isnan(found.recall[1])
    assert found.precision.tolist() == [1.0, 0.0]
    assert found.balanced_accuracy == 0.5
    assert found.macro.tolist() == pytest.approx([1.0, 0.5, 2 / 3])


def test_no_image_gives_no_metric():
    found = compute_class_metrics(np.zeros((2, 3), int))
    assert np.isnan(found.accuracy)
    assert np.isnan(found.balanced_accuracy)


def test_draws_are_those_of_a_plain_loop(predictions):
    y_true, y_pred, groups = predictions
    number = np.unique(groups, return_inverse=True)[1]
    sums = count_confusions_by_group(y_true, y_pred, number, 4)
    draws = resample_statistic(
        lambda many: compute_class_metrics(many).accuracy, sums, number, 50, seed=5, strata=y_true
    )
    weights = np.concatenate(list(draw_weights(number, 50, 5, y_true)))
    by_hand = [(np.repeat(y_true == y_pred, one[number].astype(int))).mean() for one in weights]
    np.testing.assert_allclose(draws, by_hand, rtol=1e-12)


def test_every_stratum_keeps_its_number_of_groups(predictions):
    _, _, groups = predictions
    number = np.unique(groups, return_inverse=True)[1]
    strata = number % 3  # all rows of a group are of one stratum
    weights = np.concatenate(list(draw_weights(number, 20, 0, strata)))
    of_group = np.arange(weights.shape[1]) % 3
    for one in range(3):
        assert (weights[:, of_group == one].sum(axis=1) == (of_group == one).sum()).all()


def test_an_interval_covers_what_it_says():
    """Groups of copies: an interval over images is too narrow, one over groups holds the truth about as often as said."""
    rng = np.random.default_rng(0)
    covered = {"cells": 0, "images": 0}
    for _ in range(200):
        right_cell = rng.random(60) < 0.7
        right = np.repeat(right_cell, 10)
        for name, number in (("cells", np.repeat(np.arange(60), 10)), ("images", np.arange(600))):
            sums = np.stack([np.bincount(number, right), np.bincount(number)], axis=1)
            low, high = percentile_interval(
                resample_statistic(lambda many: many[:, 0] / many[:, 1], sums, number, 300, 1)
            )
            covered[name] += low <= 0.7 <= high
    assert 0.88 <= covered["cells"] / 200 <= 0.99
    assert covered["images"] / 200 < 0.6


def test_effective_cells():
    assert effective_sample_size(np.arange(7)) == 7
    assert effective_sample_size(np.repeat([4, 9], 50)) == 2
    assert effective_sample_size(np.array([0] * 9 + [1])) == pytest.approx(100 / 82)
    assert effective_sample_size(np.array([])) == 0


@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_scikit_learns_with_and_without_ties_and_weights(ties):
    rng = np.random.default_rng(8)
    positive = rng.random(200) < 0.3
    scores = np.clip(rng.normal(0.5 + 0.2 * positive, 0.2), 0, 1)
    scores = np.round(scores, 1) if ties else scores
    weights = np.stack([np.ones(200), rng.integers(0, 4, 200)])
    one = rank_scores(positive, scores)
    for row, each in enumerate(weights):
        assert roc_auc(one, weights)[row] == pytest.approx(roc_auc_score(positive, scores, sample_weight=each))
        precision = average_precision_score(positive, scores, sample_weight=each)
        assert average_precision(one, weights)[row] == pytest.approx(precision)


def test_areas_without_one_of_both_are_not_numbers():
    one = rank_scores(np.array([True, True]), np.array([0.2, 0.4]))
    assert np.isnan(roc_auc(one, np.ones((1, 2))))[0]
    assert average_precision(one, np.ones((1, 2)))[0] == 1
    none = rank_scores(np.array([False, False]), np.array([0.2, 0.4]))
    assert np.isnan(average_precision(none, np.ones((1, 2))))[0]


def test_counts_at_thresholds_by_hand():
    one = rank_scores(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1]))
    true, false = count_positives(one, np.ones((1, 4)))
    assert one.thresholds.tolist() == [0.9, 0.5, 0.1]
    assert true.tolist() == [[1, 2, 2]]
    assert false.tolist() == [[0, 1, 2]]
