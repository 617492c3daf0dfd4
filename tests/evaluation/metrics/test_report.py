import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score

from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions

NAMES = ("A", "B")


def predictions(y_true, y_pred, status=None, groups=None, confidence=0.8):
    """Two classes; every prediction has the same confidence."""
    y_true, y_pred = np.array(y_true), np.array(y_pred)
    probs = np.zeros((len(y_true), 2), np.float32)
    for row, pred in enumerate(y_pred):
        if pred != NO_PREDICTION:
            probs[row, pred], probs[row, 1 - pred] = confidence, 1 - confidence
    status = np.array(["confident"] * len(y_true) if status is None else status)
    groups = np.arange(len(y_true)) if groups is None else np.array(groups)
    return Predictions(NAMES, y_true, y_pred, probs, np.where(y_pred == NO_PREDICTION, "", status), groups)


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(2, size=200), rng.integers(2, size=200)
    measured = summarise_metrics(predictions(y_true, y_pred), n_draws=20)
    assert measured["accuracy"] == pytest.approx((y_true == y_pred).mean(), abs=1e-4)
    assert measured["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y_true, y_pred), abs=1e-4)
    recalls = [measured["recall"][name]["recall"] for name in NAMES]
    assert recalls == pytest.approx(recall_score(y_true, y_pred, average=None), abs=1e-4)
    assert [row[:2] for row in measured["confusion"]] == confusion_matrix(y_true, y_pred).tolist()


def test_balanced_accuracy_by_hand():  # class 0: 3 of 4, class 1: 0 of 1
    assert balanced_accuracy(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 0])) == pytest.approx(0.375)


def test_balanced_accuracy_of_nothing_is_undefined():
    assert np.isnan(balanced_accuracy(np.array([]), np.array([])))


def test_no_prediction_counts_as_an_error():
    measured = summarise_metrics(predictions([0, 0, 1, 1], [0, NO_PREDICTION, 1, 0]), n_draws=20)
    assert measured["accuracy"] == 0.5
    assert measured["not_answered"] == 1
    assert measured["recall"]["A"]["recall"] == 0.5
    assert measured["confusion"] == [[1, 0, 1], [1, 1, 0]]
    assert measured["held_back"] == 0.25
    assert measured["ece"] == pytest.approx(abs(2 / 3 - 0.8), abs=1e-4)  # of the three with a prediction


def test_statuses_by_hand():
    measured = summarise_metrics(
        predictions([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], ["confident", "check", "confident", "confident", "unfamiliar"]),
        n_draws=20,
    )
    assert measured["confident_right"] == pytest.approx(2 / 3, abs=1e-4)
    assert measured["held_back"] == 0.4
    assert measured["wrong_not_confident"] == 0.5  # rows 2 and 4 are wrong, row 4 was not confident
    assert measured["status"] == {"confident": 3, "check": 1, "unfamiliar": 1}


def test_all_right_and_none_confident():
    measured = summarise_metrics(predictions([0, 1], [0, 1], ["check", "check"]), n_draws=20)
    assert measured["confident_right"] is None
    assert measured["wrong_not_confident"] is None
    assert measured["held_back"] == 1.0


def test_copies_vote_as_one_cell():
    """Cell 7 has two of three copies right, cell 8 one of three: 3 of 6 images, 1 of 2 cells."""
    measured = summarise_metrics(
        predictions([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0], groups=[7, 7, 7, 8, 8, 8]), n_draws=20
    )
    assert (measured["images"], measured["source_cells"]) == (6, 2)
    assert measured["accuracy"] == 0.5
    assert measured["vote_accuracy"] == 0.5


def test_a_cell_of_which_no_copy_has_a_prediction_is_voted_wrong():
    measured = summarise_metrics(
        predictions([0, 0, 1], [NO_PREDICTION, NO_PREDICTION, 1], groups=[1, 1, 2]), n_draws=20
    )
    assert measured["vote_accuracy"] == 0.5


def test_votes_weigh_by_probability():
    """One copy sure of class 0 outweighs two that hardly lean to class 1: 0.9 + 0.45 + 0.45 against 1.2."""
    probs = np.array([[0.9, 0.1], [0.45, 0.55], [0.45, 0.55]], np.float32)
    answers = Predictions(NAMES, np.zeros(3, int), probs.argmax(1), probs, np.full(3, "confident"), np.zeros(3))
    assert summarise_metrics(answers, n_draws=20)["vote_accuracy"] == 1.0


def test_a_class_without_images():
    measured = summarise_metrics(predictions([0, 0], [0, 1]), n_draws=20)
    assert measured["recall"]["B"] == {"recall": None, "interval": None, "images": 0, "source_cells": 0}
    assert measured["balanced_accuracy"] == 0.5


def test_copies_widen_the_interval():
    y_true = np.repeat(np.arange(20) % 2, 20)
    y_pred = np.where(np.repeat(np.arange(20) % 5 == 0, 20), 1 - y_true, y_true)
    measured = summarise_metrics(predictions(y_true, y_pred, groups=np.repeat(np.arange(20), 20)), n_draws=300)
    low, high = measured["interval"]
    plain_low, plain_high = measured["plain_interval"]
    assert low < plain_low < measured["accuracy"] < plain_high < high


def test_metrics_are_json():
    text = json.dumps(summarise_metrics(predictions([0, 1, 1], [0, 1, NO_PREDICTION]), n_draws=20), allow_nan=False)
    assert {"accuracy", "balanced_accuracy", "recall", "interval", "ece", "held_back"} <= json.loads(text).keys()


def test_the_order_of_the_images_is_irrelevant():
    rng = np.random.default_rng(3)
    y_true, y_pred = rng.integers(2, size=30), rng.integers(-1, 2, size=30)
    order = rng.permutation(30)
    one, other = (
        summarise_metrics(predictions(y_true[rows], y_pred[rows]), n_draws=20) for rows in (np.arange(30), order)
    )
    assert one["confusion"] == other["confusion"]
    for name in ("accuracy", "balanced_accuracy", "ece", "vote_accuracy"):
        assert one[name] == pytest.approx(other[name])
