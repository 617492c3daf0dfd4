"""Evaluations in folders: written and read back equal, refused where they are damaged."""

import json

import numpy as np
import pytest

from bloodcell.core.errors import RunError
from bloodcell.evaluation.evaluation_folder import (
    EVALUATION_FILE,
    PREDICTIONS_FILE,
    Evaluation,
    build_prediction_table,
    read_evaluation,
    write_evaluation,
)
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.protocol import EvaluationProtocol

NAMES = ("A", "B")


@pytest.fixture
def evaluation():
    probs = np.array([[0.9, 0.1], [0.3, 0.7], [0, 0], [0.2, 0.8]], np.float32)
    status = np.array(["confident", "check", "", "unfamiliar"])
    boxes = np.array([[1, 2, 30, 40], [0, 0, 5, 5], [-1, -1, -1, -1], [7, 7, 9, 9]])
    predicted = np.array([0, 1, NO_PREDICTION, 1])
    one = Predictions(NAMES, np.array([0, 0, 1, 1]), predicted, probs, status, np.array([0, 0, 1, 2]), boxes)
    table = build_prediction_table(["a/1.png", "a/2.png", "b/1.png", "b/ü,2.png"], one)
    return Evaluation(EvaluationProtocol(model="net", class_names=NAMES), table, compute_report(one, 20, 10))


def test_what_is_written_is_read_back(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    found = read_evaluation(tmp_path)
    assert found.protocol == evaluation.protocol
    assert found.report == evaluation.report
    assert found.prediction_table.equals(evaluation.prediction_table)
    assert found.prediction_table["prediction"].tolist() == ["A", "B", "", "B"]
    theirs, ours = found.to_predictions(), evaluation.to_predictions()
    for name in ("y_true", "y_pred", "probs", "status", "groups", "boxes"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    assert compute_report(theirs, 20, 10) == evaluation.report


@pytest.mark.parametrize("file", [PREDICTIONS_FILE, EVALUATION_FILE])
def test_a_damaged_folder_is_refused(tmp_path, evaluation, file):
    write_evaluation(tmp_path, evaluation)
    (tmp_path / file).write_bytes(b"{")
    with pytest.raises(RunError, match="damaged"):
        read_evaluation(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(RunError, match="cannot be read"):
        read_evaluation(tmp_path)


def test_labels_of_no_class_are_refused(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    path = tmp_path / EVALUATION_FILE
    described = json.loads(path.read_text())
    described["protocol"]["class_names"] = ["A", "C"]
    path.write_text(json.dumps(described))
    with pytest.raises(RunError, match="damaged"):
        read_evaluation(tmp_path)


def test_another_version_is_refused(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    path = tmp_path / EVALUATION_FILE
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))
    with pytest.raises(RunError, match="another version"):
        read_evaluation(tmp_path)
