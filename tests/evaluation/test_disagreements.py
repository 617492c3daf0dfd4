"""Pictures on which models differ, and comparing kept evaluations of other orders and other capitals."""

from dataclasses import replace

import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.evaluation.compare import ALL_DISAGREEMENTS, ALL_WRONG, compare_evaluations, find_disagreements
from tests.evaluation.made import NAMES, made_evaluation


def answering(evaluation, model, answers):
    labels = ["EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "EOSINOPHIL"]
    table = evaluation.prediction_table.assign(label=labels, prediction=answers)
    return replace(evaluation, prediction_table=table, protocol=replace(evaluation.protocol, model=model))


def test_by_hand():
    four = made_evaluation(4)
    a = answering(four, "a", ["EOSINOPHIL", "MONOCYTE", "MONOCYTE", ""])
    b = answering(four, "b", ["EOSINOPHIL", "LYMPHOCYTE", "EOSINOPHIL", "MONOCYTE"])
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


def test_other_pictures_are_refused():
    first = made_evaluation()
    other = replace(first, prediction_table=first.prediction_table.assign(file=[f"x{row}" for row in range(30)]))
    with pytest.raises(DatasetError, match="on the same images"):
        compare_evaluations(first, other)
