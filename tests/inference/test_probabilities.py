import numpy as np
import pytest

from bloodcell.inference.ood import FeatureStatistics, fit_feature_statistics, load_feature_statistics
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses


def test_softmax_by_hand():  # logs of 1, 2, 5 are parts of 8
    assert softmax(np.log([[1.0, 2.0, 5.0]]))[0] == pytest.approx([1 / 8, 2 / 8, 5 / 8])


def test_softmax_with_a_temperature():  # 1 and 4 become 1 and 2
    assert softmax(np.log([[1.0, 4.0]]), 2.0)[0] == pytest.approx([1 / 3, 2 / 3])


def test_huge_logits_do_not_overflow():
    assert softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_no_rows():
    assert softmax(np.zeros((0, 4))).shape == (0, 4)


def test_sigmoid_by_hand():
    assert sigmoid(np.log([3.0])) == pytest.approx(0.75)


def test_statuses_by_hand_with_ties():
    """The thresholds themselves still pass; unfamiliar outweighs check."""
    probs = np.array([[0.9, 0.1], [0.89, 0.11], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    known = np.array([0.5, 0.5, 0.49, 0.1, 0.9])
    distance = np.array([2.0, 1.0, 1.0, 1.0, 2.1])
    statuses = assign_statuses(probs, known, distance, Thresholds(0.9, 0.5, 2.0))
    assert statuses.tolist() == ["confident", "check", "unfamiliar", "unfamiliar", "unfamiliar"]


def test_distance_by_hand():
    """Unit covariance, means (0, 0) and (10, 0): (3, 4) is 25 / 2 from the first, (10, 2) is 4 / 2 from the second."""
    feature_statistics = FeatureStatistics(np.array([[0, 0], [10, 0]], np.float32), np.eye(2, dtype=np.float32))
    assert feature_statistics.distance(np.array([[3.0, 4.0], [10.0, 2.0]])) == pytest.approx([12.5, 2.0])


def test_training_cells_lie_at_distance_one():
    rng = np.random.default_rng(0)
    class_index = np.arange(3000) % 3
    spread = np.array([[1.0, 0.8], [0.0, 0.1]])
    features = rng.normal(0, 1, (3000, 2)) @ spread + 5 * class_index[:, None]
    feature_statistics = fit_feature_statistics(features, class_index)
    assert feature_statistics.means == pytest.approx(np.array([[0, 0], [5, 5], [10, 10]]), abs=0.1)
    assert feature_statistics.distance(features).mean() == pytest.approx(1.0, rel=0.1)
    assert (
        feature_statistics.distance(np.array([[0.0, 3.0]]))[0] > 20
    )  # near a mean, but off the line along which cells vary


def test_a_feature_that_never_varies_does_no_harm():
    features = np.column_stack([np.random.default_rng(0).normal(size=40), np.zeros(40)])
    assert np.isfinite(fit_feature_statistics(features, np.arange(40) % 2).distance(features)).all()


def test_feature_statistics_survive_saving(tmp_path):
    feature_statistics = FeatureStatistics(np.array([[1.0, 2.0]], np.float32), np.eye(2, dtype=np.float32))
    feature_statistics.save(tmp_path / "feature_statistics.npz")
    loaded = load_feature_statistics(tmp_path / "feature_statistics.npz")
    assert np.array_equal(loaded.means, feature_statistics.means)
    assert np.array_equal(loaded.whitening, feature_statistics.whitening)
