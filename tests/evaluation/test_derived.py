"""Several models as one: mean probabilities, statuses and leaks."""

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.evaluation.derived import build_ensemble
from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table
from bloodcell.evaluation.leak_check import CHOSEN_ON, TRAINED_ON, LeakSummary
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.protocol import EvaluationProtocol

NAMES = ("A", "B")


def member(name, probs, status, leak=("", "", "", ""), images="same", classes=NAMES):
    """Four images, labelled A, A, B, B; a row of two zeros is no prediction."""
    probs = np.array(probs, np.float32)
    pred = np.where(probs.sum(axis=1) > 0, probs.argmax(axis=1), -1)
    predictions = Predictions(classes, np.array([0, 0, 1, 1]), pred, probs, np.array(status), np.arange(4))
    protocol = EvaluationProtocol(
        model=name,
        model_sha256=name * 4,
        class_names=tuple(classes),
        dataset="set",
        images_sha256=images,
        images_per_s=100.0,
        leak=LeakSummary(True, 4, trained_on=sum(one == TRAINED_ON for one in leak)),
    )
    table = build_prediction_table(["1", "2", "3", "4"], predictions).assign(leak=list(leak), sha256=["0"] * 4)
    return Evaluation(protocol, table, compute_report(predictions, 20, 10))


FIRST = member("x", [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0, 0]], ["confident", "check", "confident", ""])
SECOND = member(
    "y",
    [[0.7, 0.3], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]],
    ["confident", "confident", "unfamiliar", "confident"],
    leak=["", TRAINED_ON, CHOSEN_ON, ""],
)


def test_the_mean_by_hand():
    found = build_ensemble([FIRST, SECOND])
    one = found.to_predictions()
    np.testing.assert_allclose(one.probs, [[0.8, 0.2], [0.65, 0.35], [0.4, 0.6], [0.3, 0.7]], atol=1e-6)
    assert one.y_pred.tolist() == [0, 0, 1, 1]
    # All sure and of one mind; one not sure; one finds it unfamiliar; one gave no prediction, so not all are sure.
    assert one.status.tolist() == ["confident", "check", "unfamiliar", "check"]
    assert found.report.metrics["accuracy"].value == 1.0
    assert found.prediction_table["leak"].tolist() == ["", TRAINED_ON, CHOSEN_ON, ""]
    leak = found.protocol.leak
    assert (leak.n_leaking, leak.chosen_on) == (1, 1)
    assert found.protocol.model == "x + y"
    assert found.protocol.images_per_s == 50.0


def test_without_any_prediction_the_ensemble_has_none():
    silent = member("z", [[0, 0]] * 4, [""] * 4)
    assert build_ensemble([silent, silent]).to_predictions().y_pred.tolist() == [-1] * 4


@pytest.mark.parametrize(
    "members",
    [
        [FIRST],
        [FIRST, member("y", [[1, 0]] * 4, ["check"] * 4, images="others")],
        [FIRST, member("y", [[1, 0]] * 4, ["check"] * 4, classes=("A", "C"))],
    ],
)
def test_what_cannot_be_one(members):
    with pytest.raises(DatasetError, match="two or more models of the same classes, evaluated on the same images"):
        build_ensemble(members)
