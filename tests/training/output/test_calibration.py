import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.output.calibration import (
    MAX_FLAGGED_SHARE,
    TARGET_ACCURACY,
    Outputs,
    calibrate,
    find_min_confidence,
)
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

SPEC = TrainSpec(name="t", sources=(SourceSpec("one", "one"), SourceSpec("two", "two")), class_names=("A", "B"))


def held_out(class_index, group=None, source=None):
    n = len(class_index)
    group = np.arange(n) if group is None else np.array(group)
    source = np.zeros(n, int) if source is None else np.array(source)
    return Samples(np.zeros((n, 1, 1, 3), np.uint8), np.array(class_index), group, source, [""] * n, {})


def outputs(logits, known=None, distance=None):
    logits = np.array(logits, float)
    known = np.full(len(logits), 5.0) if known is None else np.array(known, float)
    distance = np.ones(len(logits)) if distance is None else np.array(distance, float)
    return Outputs(logits, known, distance)


def test_threshold_lies_where_enough_are_right():
    """The surest 190 of 200 are right, the rest wrong: as many follow as keep 190 / n at the target."""
    confidence = np.linspace(1.0, 0.6, 200)
    n_confident = int(190 / TARGET_ACCURACY)  # 193 at 0.98: 190 / 193 = 0.984, 190 / 194 = 0.979
    threshold = find_min_confidence(confidence, np.arange(200) < 190)
    assert threshold == pytest.approx(confidence[n_confident - 1])


def test_not_too_many_are_flagged():
    """Where the surest cell is wrong no threshold is right often enough; then the share that is flagged decides."""
    confidence = np.linspace(1.0, 0.6, 101)
    threshold = find_min_confidence(confidence, np.arange(101) % 2 == 1)
    assert (confidence < threshold).mean() == pytest.approx(MAX_FLAGGED_SHARE, abs=0.011)


def test_all_right_needs_no_more_than_half():
    """Never below 0.5: a cell that is more likely another one is not confident."""
    assert find_min_confidence(np.linspace(0.3, 0.9, 50), np.ones(50, bool)) == 0.5


def test_order_of_the_cells_is_irrelevant():
    rng = np.random.default_rng(0)
    confidence, right = rng.uniform(0.5, 1, 300), rng.random(300) < 0.97
    order = rng.permutation(300)
    assert find_min_confidence(confidence, right) == find_min_confidence(confidence[order], right[order])


def test_one_cell():
    assert 0.5 <= find_min_confidence(np.array([0.8]), np.array([True])) <= 0.8


def test_metrics_by_hand():
    """Four cells of two sources; the last is wrong, so three of four and recalls 2/2 and 1/2."""
    answers = outputs([[4, 0], [4, 0], [0, 4], [1, 0]])
    found = calibrate(SPEC, held_out([0, 0, 1, 1], source=[0, 0, 0, 1]), answers).metrics
    assert (found["images"], found["source_cells"]) == (4, 4)
    assert found["accuracy"] == 0.75
    assert found["recall"] == {"A": 1.0, "B": 0.5}
    assert found["per_source"]["one"]["accuracy"] == 1.0
    assert found["per_source"]["two"] | {"images": 1, "accuracy": 0.0} == found["per_source"]["two"]
    assert 0 <= found["held_back"] <= 1


def test_copies_weigh_as_one_cell_in_the_temperature():
    """The wrong cell has 50 copies: counted singly they would heat the temperature far more."""
    logits = [[3, 0]] * 10 + [[3, 0]] * 50
    y_true, group = [0] * 10 + [1] * 50, [*range(10)] + [10] * 50
    copied = calibrate(SPEC, held_out(y_true, group), outputs(logits)).settings["temperature"]
    once = calibrate(SPEC, held_out(y_true[:11], group[:11]), outputs(logits[:11])).settings["temperature"]
    single = calibrate(SPEC, held_out(y_true), outputs(logits)).settings["temperature"]
    assert copied == pytest.approx(once, rel=1e-3)
    assert single > 1.5 * copied


def test_cells_of_other_classes_are_only_counted_as_unfamiliar():
    """Two known cells and two others, one of which the network does not know, the other far away."""
    answers = outputs([[4, 0], [0, 4], [4, 0], [4, 0]], known=[5, 5, -5, 5], distance=[1.0, 1.0, 1.0, 9.0])
    metrics = calibrate(SPEC, held_out([0, 1, OOD, OOD]), answers).metrics
    assert metrics["images"] == 2
    assert metrics["other_cells_unfamiliar"] == 1.0


def test_no_known_cell_in_the_fold():
    with pytest.raises(DatasetError, match="The validation fold has no cell of any class"):
        calibrate(SPEC, held_out([OOD]), outputs([[1, 0]]))


def test_a_network_without_an_out_of_distribution_head(tmp_path):
    """Thresholds for probability and distance alone; the far cell of another class is unfamiliar, the near one is not."""
    answers = Outputs(np.array([[4.0, 0], [0, 4], [4, 0], [4, 0]]), None, np.array([1.0, 1.0, 1.0, 9.0]))
    answers.save(tmp_path / "answers.npz")
    loaded = Outputs.load(tmp_path / "answers.npz")
    assert loaded.known is None
    calibration = calibrate(SPEC, held_out([0, 1, OOD, OOD]), loaded)
    assert calibration.settings.keys() == {"temperature", "min_confidence", "max_distance"}
    assert calibration.metrics["other_cells_unfamiliar"] == 0.5
