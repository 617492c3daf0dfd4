"""The loss of a detector by hand, and that a perfect prediction has next to none."""

import math

import numpy as np
import pytest

from bloodcell.training.samples.field_targets import make_targets
from bloodcell.training.samples.field_tiles import Tile
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = [pytest.mark.keras, *FOREIGN_WARNINGS]
COLD = -20.0


def compute(targets, predictions):
    """The loss of one image or of several."""
    import keras

    from bloodcell.training.detector.loss import compute_detector_loss

    arrays = [np.atleast_2d(np.asarray(array, np.float32)) for array in (targets, predictions)]
    arrays = [array if array.ndim == 4 else array[None] for array in arrays]
    return float(keras.ops.convert_to_numpy(compute_detector_loss(*arrays)))


def make_target(*boxes, class_index=1):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return make_targets(Tile(np.zeros((64, 64, 3), np.uint8), boxes, np.full(len(boxes), class_index)))


def make_prediction(target):
    """What would be said of a tile by who knows its targets: sure of each centre, and every box as it is."""
    heat, sides = target[..., :3], target[..., 6:]
    logits = np.where(heat == 1, -COLD, COLD)
    return np.concatenate([logits, np.log(np.maximum(sides, 0.1))], axis=-1)


def shift(array, n_places):
    return np.roll(array, n_places, axis=1)


TARGET = make_target((8, 8, 32, 32), (36, 20, 60, 50))
# A map of one place, one class with a cell: heat 1, weight 1, and these distances to the sides.
ONE = np.zeros((1, 1, 18), np.float32)
ONE[0, 0, [1, 4]] = 1
ONE[0, 0, 6 + 4 : 6 + 8] = (2, 3, 2, 3)


def predict_one(logit, distances):
    prediction = np.zeros((1, 1, 15), np.float32)
    prediction[..., :3] = COLD
    prediction[0, 0, 1] = logit
    prediction[0, 0, 3 + 4 : 3 + 8] = np.log(distances)
    return prediction


def test_a_perfect_prediction_has_no_loss():
    assert compute(TARGET, make_prediction(TARGET)) == pytest.approx(0, abs=1e-4)


def test_boxes_in_the_wrong_place_have_a_loss_that_grows_with_the_shift():
    """The heat maps as they are; the sides are those of a box shifted by 1, 2 and 4 strides."""
    losses = []
    for n_strides in (0, 1, 2, 4):
        moved = TARGET.copy()
        at = TARGET[..., 3:6].repeat(4, axis=-1) > 0
        moved[..., 6:] = np.where(at, TARGET[..., 6:] + np.tile([n_strides, 0, -n_strides, 0], 3), 0)
        losses.append(compute(TARGET, make_prediction(np.maximum(moved, 0))))
    assert losses == sorted(losses)
    assert losses[1] > 0.2
    assert losses[0] < 1e-4


def test_a_shifted_prediction_has_a_much_larger_loss():
    shifted = compute(TARGET, shift(make_prediction(TARGET), 3))
    assert shifted > 1000 * max(compute(TARGET, make_prediction(TARGET)), 1e-3)


def test_a_box_by_hand():
    """4 x 6 strides are true, 4 x 6 found a stride lower: 3 x 6 = 18 shared, 30 in all, 5 x 6 = 30 around both.

    1 - 18 / 30 + (30 - 30) / 30 = 0.4, twice as boxes count twice; the centre is sure.
    """
    assert compute(ONE, predict_one(-COLD, (1, 3, 3, 3))) == pytest.approx(2 * 0.4, abs=1e-5)


def test_a_box_that_leaves_a_corner_free_by_hand():
    """A stride lower and one to the right: 3 x 5 = 15 shared, 33 in all, 5 x 7 = 35 around both.

    1 - 15 / 33 + (35 - 33) / 35 = 0.54545 + 0.05714.
    """
    assert compute(ONE, predict_one(-COLD, (1, 2, 3, 4))) == pytest.approx(2 * (0.545455 + 0.057143), abs=1e-5)


def test_a_centre_by_hand():
    """A score of 1/4 at the centre: (3/4)^2 * -log(1/4) = 0.77979. The box is right."""
    quarter = math.log((1 / 4) / (3 / 4))
    assert compute(ONE, predict_one(quarter, (2, 3, 2, 3))) == pytest.approx(0.77979, abs=1e-5)


@pytest.mark.parametrize(
    ("heat", "expected"),
    [
        (0.0, 0.77979),  # nothing near: (3/4)^2 * -log(1 - 3/4)
        (0.5, 0.77979 / 16),  # half warm: (1 - 1/2)^4 of it
    ],
)
def test_a_false_centre_by_hand(heat, expected):
    """A score of 3/4 where there is no centre; without any cell the sum is divided by 1."""
    target = np.zeros((1, 1, 18), np.float32)
    target[0, 0, 1] = heat
    prediction = predict_one(math.log(3), (1, 1, 1, 1))
    assert compute(target, prediction) == pytest.approx(expected, abs=1e-5)


def test_the_loss_is_a_mean_over_cells():
    """The same tile twice has twice the sums and twice the cells."""
    prediction = shift(make_prediction(TARGET), 1)
    twice = compute(np.stack([TARGET] * 2), np.stack([prediction] * 2))
    assert twice == pytest.approx(compute(TARGET, prediction), rel=1e-5)


def test_a_tile_without_cells_has_only_false_centres():
    empty = make_target()
    assert compute(empty, make_prediction(empty)) == pytest.approx(0, abs=1e-6)
    warm = make_prediction(empty)
    warm[5, 5, 2] = 3.0
    assert compute(empty, warm) > 1


def test_sides_of_other_classes_and_places_have_no_say():
    prediction = make_prediction(TARGET)
    is_free = ~(TARGET[..., 3:6] > 0).repeat(4, axis=-1)
    changed = prediction.copy()
    changed[..., 3:][is_free] = 2.0
    assert compute(TARGET, changed) == pytest.approx(compute(TARGET, prediction), abs=1e-6)


def test_wild_outputs_have_a_finite_loss_and_slope():
    import tensorflow as tf

    from bloodcell.training.detector.loss import compute_detector_loss

    for size in (1e4, -1e4):
        prediction = tf.Variable(np.full((1, 16, 16, 15), size, np.float32))
        with tf.GradientTape() as tape:
            loss = compute_detector_loss(TARGET[None], prediction)
        assert np.isfinite(float(loss))
        assert np.isfinite(tape.gradient(loss, prediction).numpy()).all()


def test_marked_centres_are_counted():
    """Two cells, one of them marked: a half; without cells all are marked."""
    import keras

    from bloodcell.training.detector.fit_detector import measure_marked_centres

    def measure(target, prediction):
        return float(keras.ops.convert_to_numpy(measure_marked_centres(target[None], prediction[None])))

    prediction = make_prediction(TARGET)
    assert measure(TARGET, prediction) == pytest.approx(1)
    row, col, class_index = np.argwhere(TARGET[..., :3] == 1)[0]
    prediction[row, col, class_index] = -1
    assert measure(TARGET, prediction) == pytest.approx(0.5, abs=1e-5)
    empty = make_target()
    assert measure(empty, make_prediction(empty)) == pytest.approx(1)
