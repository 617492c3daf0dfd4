import math
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.fitting.losses import build_losses
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SPEC = TrainSpec(name="t", sources=(SourceSpec("s", "s"),), class_names=("A", "B"))
# Logits whose softmax is (3/4, 1/4).
LOGITS = np.array([[math.log(3), 0.0]], np.float32)


def loss(gamma, labels, weights=None):
    of_classes = build_losses(replace(SPEC, focal_gamma=gamma))["logits"]
    return float(of_classes(np.array(labels, np.float32), np.repeat(LOGITS, len(labels), axis=0), weights))


def test_cross_entropy_is_the_default():
    assert loss(0, [[1, 0]]) == pytest.approx(-math.log(3 / 4))
    assert SPEC.focal_gamma == 0


def test_focal_loss_by_hand():
    """A true, prob 3/4: (1/4)^2 * -log(3/4) = 0.01798; B true, prob 1/4: (3/4)^2 * -log(1/4) = 0.77979."""
    assert loss(2, [[1, 0]]) == pytest.approx(0.01798, abs=1e-5)
    assert loss(2, [[0, 1]]) == pytest.approx(0.77979, abs=1e-5)


def test_focal_loss_with_smoothed_labels_by_hand():
    assert loss(2, [[0.95, 0.05]]) == pytest.approx(0.95 * 0.01798 + 0.05 * 0.77979, abs=1e-5)


def test_a_small_gamma_is_nearly_cross_entropy():
    assert loss(1e-6, [[0, 1]]) == pytest.approx(loss(0, [[0, 1]]), rel=1e-4)


@pytest.mark.parametrize("gamma", [0, 2])
def test_weights_scale_the_crops(gamma):
    """Weights 5 and 0: five times the first over two crops."""
    weighted = loss(gamma, [[1, 0], [0, 1]], np.array([5, 0], np.float32))
    assert weighted == pytest.approx(5 * loss(gamma, [[1, 0]]) / 2, rel=1e-5)


def test_the_head_of_known_cells_keeps_its_loss():
    known = build_losses(replace(SPEC, focal_gamma=2))["known"]
    assert float(known(np.array([[1.0]]), np.array([[0.0]]))) == pytest.approx(math.log(2))
