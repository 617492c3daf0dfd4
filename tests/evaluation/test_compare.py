"""Two models on the same images: McNemar against scipy and by hand, intervals over cells, the sentence."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from bloodcell.core.errors import DatasetError
from bloodcell.evaluation.compare import (
    ALL_DISAGREEMENTS,
    ALL_WRONG,
    Difference,
    ModelPredictions,
    compare_evaluations,
    compare_predictions,
    find_disagreements,
    mcnemar_p_value,
)
from tests.evaluation.made import NAMES, made_evaluation


def test_mcnemar_by_hand():
    first = np.array([True] * 9 + [False] * 3 + [True] * 5)
    second = np.array([False] * 9 + [True] * 3 + [True] * 5)
    # 12 images tell them apart, 9 to 3: twice the chance of 3 or fewer heads of 12.
    assert mcnemar_p_value(first, second) == pytest.approx(2 * binom.cdf(3, 12, 0.5))
    assert mcnemar_p_value(first, first) == 1


def test_a_better_model_is_called_better():
    rng = np.random.default_rng(1)
    y_true = rng.integers(3, size=400)
    worse = np.where(rng.random(400) < 0.6, y_true, (y_true + 1) % 3)
    better = np.where(rng.random(400) < 0.9, y_true, (y_true + 1) % 3)
    found = compare_predictions(y_true, np.arange(400), ModelPredictions("A", worse), ModelPredictions("B", better), 3)
    assert found.accuracy.value == pytest.approx((better == y_true).mean() - (worse == y_true).mean())
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.sentence.startswith("B is better: +")
    assert found.p_images < 1e-6
    back = compare_predictions(y_true, np.arange(400), ModelPredictions("B", better), ModelPredictions("A", worse), 3)
    assert back.sentence.startswith("B is better: +")
    assert back.accuracy.value == pytest.approx(-found.accuracy.value)


def test_copies_of_few_cells_show_no_difference():
    """Over images the difference looks sure, over the six cells that there are it is not."""
    y_true = np.zeros(600, int)
    groups = np.repeat(np.arange(6), 100)
    first = np.where(groups < 3, 0, 1)  # right on three cells
    second = np.where(groups < 4, 0, 1)  # right on four
    found = compare_predictions(y_true, groups, ModelPredictions("A", first), ModelPredictions("B", second), 2)
    assert found.p_images < 1e-20
    assert found.p_cells == 1
    assert not found.accuracy.is_shown
    assert found.sentence.startswith("These 6 source cells show no difference")


def test_no_prediction_is_an_error():
    y_true = np.array([0, 0, 1, 1])
    found = compare_predictions(
        y_true, np.arange(4), ModelPredictions("A", y_true), ModelPredictions("B", np.array([0, -1, 1, 1])), 2
    )
    assert found.accuracy.value == -0.25
    assert (found.only_first_correct, found.only_second_correct) == (1, 0)


def test_other_images_are_refused():
    with pytest.raises(DatasetError, match="same images"):
        compare_predictions(
            np.zeros(3, int), np.arange(3), ModelPredictions("A", np.zeros(3)), ModelPredictions("B", np.zeros(2)), 2
        )
    with pytest.raises(DatasetError, match="one or more"):
        compare_predictions(
            np.zeros(0, int), np.arange(0), ModelPredictions("A", np.zeros(0)), ModelPredictions("B", np.zeros(0)), 2
        )


def test_a_difference_is_shown_only_off_zero():
    assert Difference(0.1, 0.01, 0.2).is_shown
    assert Difference(-0.1, -0.2, -0.01).is_shown
    assert not Difference(0.1, -0.01, 0.2).is_shown


def predicting(evaluation, model, predictions):
    labels = ["EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "EOSINOPHIL"]
    table = evaluation.prediction_table.assign(label=labels, prediction=predictions)
    return replace(evaluation, prediction_table=table, protocol=replace(evaluation.protocol, model=model))


def test_disagreements_by_hand():
    four = made_evaluation(4)
    a = predicting(four, "a", ["EOSINOPHIL", "MONOCYTE", "MONOCYTE", ""])
    b = predicting(four, "b", ["EOSINOPHIL", "LYMPHOCYTE", "EOSINOPHIL", "MONOCYTE"])
    assert find_disagreements([a, b]) == {
        ALL_DISAGREEMENTS: ["001.png", "002.png", "003.png"],
        "only a correct": ["002.png"],
        "only b correct": ["001.png"],
        ALL_WRONG: ["003.png"],
    }
    found = compare_evaluations(a, b)
    assert (found.only_first_correct, found.only_second_correct, found.accuracy.value) == (1, 1, 0)


def test_order_and_capitals_do_not_matter():
    first, second = made_evaluation(seed=1), made_evaluation(seed=2, right=0.9)
    plain = compare_evaluations(first, second)
    small = [name.lower() for name in reversed(NAMES)]
    table = second.prediction_table.rename(columns={f"prob_{name}": f"prob_{name.lower()}" for name in NAMES})
    table = table.assign(label=table["label"].str.lower(), prediction=table["prediction"].str.lower()).iloc[::-1]
    other = replace(second, prediction_table=table, protocol=replace(second.protocol, class_names=tuple(small)))
    assert compare_evaluations(first, other).accuracy == plain.accuracy
    assert find_disagreements([first, other]) == find_disagreements([first, second])


def test_evaluations_of_other_images_are_refused():
    first = made_evaluation()
    other = replace(first, prediction_table=first.prediction_table.assign(file=[f"x{row}" for row in range(30)]))
    with pytest.raises(DatasetError, match="on the same images"):
        compare_evaluations(first, other)
