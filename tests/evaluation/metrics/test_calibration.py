import numpy as np
import pytest

from bloodcell.evaluation.metrics.calibration import expected_calibration_error, fit_temperature, remove_temperature
from bloodcell.inference.probabilities import softmax


def test_error_by_hand():
    """Two bins: three rows at 0.7 with 2 right, one at 0.9 that is wrong."""
    probs = np.array([[0.7, 0.3]] * 3 + [[0.1, 0.9]])
    y_true = np.array([0, 0, 1, 0])
    # 3/4 * |2/3 - 0.7| + 1/4 * |0 - 0.9| = 0.025 + 0.225
    assert expected_calibration_error(y_true, probs, n_bins=10) == pytest.approx(0.25)


def test_sure_and_right_has_no_error():
    assert expected_calibration_error(np.array([0, 1]), np.eye(2)) == 0.0


def test_no_rows_have_no_error():
    assert expected_calibration_error(np.array([], int), np.zeros((0, 4))) == 0.0


def test_one_row():
    assert expected_calibration_error(np.array([1]), np.array([[0.6, 0.4]])) == pytest.approx(0.6)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_temperature_recovers_a_known_scale(scale):
    """Labels drawn from softmax(logits); the network says `scale` times these logits."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 4))
    y_true = np.array([rng.choice(4, p=row / row.sum()) for row in softmax(logits).astype(float)])
    assert fit_temperature(y_true, scale * logits) == pytest.approx(scale, rel=0.1)


def test_weights_count_a_copied_row_once():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (200, 3))
    y_true = rng.integers(3, size=200)
    copies = np.where(np.arange(200) < 20, 30, 1)
    repeated = np.repeat(np.arange(200), copies)
    weighted = fit_temperature(y_true[repeated], logits[repeated], 1 / np.repeat(copies, copies))
    assert weighted == pytest.approx(fit_temperature(y_true, logits), rel=1e-2)


def test_temperature_stays_in_its_bounds():
    sure_and_right, sure_and_wrong = np.eye(2), 1 - np.eye(2)
    assert fit_temperature(np.array([0, 1]), sure_and_right) == pytest.approx(0.25, rel=0.05)
    assert fit_temperature(np.array([0, 1]), sure_and_wrong) == pytest.approx(8.0, rel=0.05)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_temperature_is_taken_back(temperature):
    logits = np.random.default_rng(2).normal(0, 2, (50, 4))
    back = remove_temperature(softmax(logits, temperature), temperature)
    np.testing.assert_allclose(back, softmax(logits), atol=1e-5)
    assert remove_temperature(np.zeros((1, 4)), temperature).tolist() == [[0, 0, 0, 0]]
