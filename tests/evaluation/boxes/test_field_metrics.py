"""What is said of a detector over fields: ratios of sums, intervals over fields, and JSON without NaN."""

import json
import math

import numpy as np
import pytest

from bloodcell.evaluation.boxes.field_metrics import measure_fields
from bloodcell.evaluation.boxes.matching import ClassMatch, TrueBoxes
from bloodcell.inference.detections import NOTHING, Detections

NAMES = ("WBC", "RBC", "PLATELET")
LOW = np.full(3, 0.5)
A, B, C, D = (0, 0, 10, 10), (0, 20, 10, 30), (0, 40, 10, 50), (0, 60, 10, 70)


def true(*boxes, class_index=1):
    return TrueBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), class_index, np.int64))


def found(*boxes, scores=None, class_index=1):
    scores = 0.9 - 0.1 * np.arange(len(boxes)) if scores is None else scores
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), class_index, np.int64), np.asarray(scores, np.float32))


def measure(labels, seen, thresholds=LOW, n_map_draws=20):
    return measure_fields(labels, seen, NAMES, thresholds, n_map_draws)


def shifted(box, by):
    return (box[0], box[1] + by, box[2], box[3] + by)


def test_three_fields_by_hand():
    """Red cells: 2 + 1 + 1 are labelled, 2 + 2 + 0 are found.

    In the first one is exact and one shifted by 4 of 10 px, which its middle hits and 6 of 14 columns do not match. In
    the second one is exact and one lies on nothing. In the third one is missed.
    """
    labels = [true(A, B), true(A), true(C)]
    seen = [found(A, shifted(B, 4)), found(A, D), NOTHING]
    metrics = measure(labels, seen)
    red = metrics.by_class["RBC"]
    assert (metrics.fields, red.n_true, red.n_found) == (3, 4, 4)
    assert red.centre_recall == 3 / 4
    assert red.box_recall == 2 / 4
    assert red.count_ratio == 4 / 4
    assert red.count_error == pytest.approx((0 + 1 + 1) / 3)
    assert red.false_per_field == pytest.approx(1 / 3)
    assert metrics.matches[0]["RBC"] == ClassMatch(2, 2, 1, 2, missed=(), false=())
    assert metrics.matches[1]["RBC"] == ClassMatch(1, 2, 1, 1, missed=(), false=(1,))
    assert metrics.matches[2]["RBC"] == ClassMatch(1, 0, 0, 0, missed=(0,), false=())
    assert metrics.map50 == red.ap50


def test_intervals_are_over_fields():
    """10 fields of one cell, half of them found: 0 to 10 hits, so the interval is about 0.5 -+ 1.96 * 0.158."""
    labels, seen = [true(A)] * 10, [found(A)] * 5 + [NOTHING] * 5
    red = measure(labels, seen).by_class["RBC"]
    assert red.centre_recall == 0.5
    assert red.intervals["centre_recall"] == pytest.approx((0.2, 0.8), abs=0.11)
    assert red.intervals["count_error"] == red.intervals["centre_recall"]  # 1 - recall, which is symmetric here
    assert red.intervals["false_per_field"] == (0, 0)


def test_one_field_has_no_spread():
    metrics = measure([true(A, B)], [found(A)])
    assert metrics.by_class["RBC"].intervals["box_recall"] == (0.5, 0.5)
    assert metrics.map50_interval == pytest.approx((metrics.map50, metrics.map50))


def test_the_interval_of_map50_holds_it_and_may_be_left_out():
    labels, seen = [true(A, B)] * 8, [found(A)] * 4 + [found(A, B)] * 4
    low, high = measure(labels, seen).map50_interval
    assert low < measure(labels, seen).map50 < high
    assert all(math.isnan(end) for end in measure(labels, seen, n_map_draws=0).map50_interval)


def test_average_precision_takes_all_boxes_and_the_other_metrics_those_above_the_threshold():
    """B has a score of 0.3: below the threshold of red cells, and at that of 0.3 it counts."""
    labels, seen = [true(A, B)], [found(A, B, scores=[0.9, 0.3])]
    high = measure(labels, seen)
    assert (high.map50, high.by_class["RBC"].n_found) == (pytest.approx(1), 1)
    for threshold, n_found in ((np.float32(0.3), 2), (0.31, 1)):
        red = measure(labels, seen, np.array([0.5, threshold, 0.5])).by_class["RBC"]
        assert (red.n_found, red.centre_recall) == (n_found, n_found / 2)


def test_a_class_without_labels_has_counts_and_no_recall():
    """Two platelets are found in two fields where none is labelled."""
    metrics = measure([true(A), true(B)], [found(A), found(C, D, class_index=2)])
    platelets = metrics.by_class["PLATELET"]
    assert (platelets.n_true, platelets.n_found, platelets.false_per_field, platelets.count_error) == (0, 2, 1, 1)
    for value in (platelets.ap50, platelets.centre_recall, platelets.box_recall, platelets.count_ratio):
        assert math.isnan(value)
    assert all(math.isnan(end) for end in platelets.intervals["centre_recall"])
    assert platelets.intervals["false_per_field"] == (0, 2)


def test_json_has_four_digits_and_no_nan():
    """Of three cells two are found: 0.6667."""
    metrics = measure([true(A, B, C)], [found(A, B)]).to_dict()
    document = json.loads(json.dumps(metrics, allow_nan=False))
    assert list(document) == ["fields", "map50", "map50_interval", "map50_95", "by_class"]
    assert list(document["by_class"]) == list(NAMES)
    red = document["by_class"]["RBC"]
    assert (red["true"], red["found"], red["centre_recall"], red["centre_recall_interval"]) == (
        3,
        2,
        0.6667,
        [0.6667] * 2,
    )
    assert red["ap50"] == round(67 / 101, 4)  # the levels from 0 to 0.66
    white = document["by_class"]["WBC"]
    assert (white["ap50"], white["centre_recall"], white["centre_recall_interval"]) == (None, None, [None, None])


def test_fields_of_which_nothing_is_known_or_found():
    metrics = measure([true(), true()], [NOTHING, NOTHING])
    assert math.isnan(metrics.map50)
    assert metrics.by_class["RBC"].count_error == 0
    json.dumps(metrics.to_dict(), allow_nan=False)


def test_labels_and_finds_must_be_of_as_many_fields():
    with pytest.raises(ValueError, match=r"zip\(\) argument"):
        measure([true(A), true(B)], [found(A)])
