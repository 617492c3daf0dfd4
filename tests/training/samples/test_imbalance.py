from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.fitting.batches import DrawnBatches
from bloodcell.training.samples.imbalance import (
    compute_loss_weights,
    compute_sampling_shares,
    select_from_few_cells,
    select_training_rows,
)
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec
from tests.places import SPECS

SPEC = TrainSpec(
    name="t",
    sources=(SourceSpec("s", "s"),),
    class_names=("A", "B"),
    height_px=32,
    width_px=32,
    batch_size=400,
    images_per_epoch=400,
    unknown_share=0.0,
    label_smoothing=0.0,
)
TWO = (SourceSpec("s", "s", weight=3), SourceSpec("t", "t", weight=1))
AS_THEY_COME = replace(SPEC, class_sampling="as they come")
BALANCED = replace(AS_THEY_COME, class_weights="balanced")


def samples(class_index, group=None, source=None, file=None):
    n = len(class_index)
    group = np.arange(n) if group is None else np.array(group)
    source = np.zeros(n, int) if source is None else np.array(source)
    file = [f"{row}.png" for row in range(n)] if file is None else list(file)
    return Samples(np.full((n, 48, 48, 3), 128, np.uint8), np.array(class_index), group, source, file, {"s": 0})


def test_equal_parts_whatever_the_numbers():
    assert compute_sampling_shares(SPEC, samples([0] * 9 + [1])).tolist() == [[0.5, 0.5]]


def test_as_they_come():
    """Nine of A, one of B; crops of no known class do not count."""
    assert compute_sampling_shares(AS_THEY_COME, samples([0] * 9 + [1] + [OOD] * 5)) == pytest.approx(
        np.array([[0.9, 0.1]])
    )


def test_sources_of_equal_parts_by_weight_where_they_hold_the_class():
    """B lies in the second source alone: its half comes from there."""
    shares = compute_sampling_shares(replace(SPEC, sources=TWO), samples([0, 0, 0, 1], source=[0, 0, 1, 1]))
    assert shares == pytest.approx(np.array([[0.375, 0.0], [0.125, 0.5]]))


def test_sources_as_they_come_keep_their_weight():
    """The first source, 3 of 4 drawn crops, is A and B in halves; the second is B."""
    shares = compute_sampling_shares(
        replace(AS_THEY_COME, sources=TWO), samples([0, 1, 1, 1, 1], source=[0, 0, 1, 1, 1])
    )
    assert shares == pytest.approx(np.array([[0.375, 0.375], [0.0, 0.25]]))


def test_nothing_of_any_class():
    assert compute_sampling_shares(SPEC, samples([OOD])).tolist() == [[0, 0]]
    assert compute_sampling_shares(AS_THEY_COME, samples([OOD])).tolist() == [[0, 0]]


def test_balanced_weights_are_those_of_scikit_learn():
    class_index = np.repeat([0, 1], [36, 4])
    weights = compute_loss_weights(BALANCED, compute_sampling_shares(BALANCED, samples(class_index)))
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=class_index)
    assert weights == pytest.approx(expected)
    assert weights == pytest.approx([40 / (2 * 36), 40 / (2 * 4)])


def test_without_weights_all_count_alike():
    assert compute_loss_weights(AS_THEY_COME, np.array([[0.9, 0.1]])).tolist() == [1, 1]


def test_classes_as_they_come_are_drawn_so():
    """One in ten is B: about 40 of 400; in equal parts it is 200."""
    drawn = samples([0] * 18 + [1] * 2)
    of_b = DrawnBatches(drawn, AS_THEY_COME)[0][1]["logits"][:, 1].sum()
    assert 40 - 18 < of_b < 40 + 18  # three standard deviations of a binomial of 400 and 0.1
    assert DrawnBatches(drawn, SPEC)[0][1]["logits"][:, 1].sum() == 200


def test_drawing_as_they_come_depends_on_seed_epoch_and_number_alone():
    drawn = samples([0] * 18 + [1] * 2)
    one, other = DrawnBatches(drawn, AS_THEY_COME), DrawnBatches(drawn, AS_THEY_COME)
    assert np.array_equal(one[0][1]["logits"], other[0][1]["logits"])
    assert not np.array_equal(one[0][1]["logits"], DrawnBatches(drawn, replace(AS_THEY_COME, seed=1))[0][1]["logits"])


def test_the_weight_that_reaches_the_loss():
    """Class A 10/18 = 0.556, B 10/2 = 5, unknown crops none; each class then weighs about the same in all."""
    spec = replace(BALANCED, unknown_share=0.25)
    _, targets, weights = DrawnBatches(samples([0] * 18 + [1] * 2), spec)[0]
    known, class_index = targets["known"][:, 0] == 1, targets["logits"].argmax(axis=1)
    assert np.unique(weights["logits"][known & (class_index == 0)]) == pytest.approx([20 / 36])
    assert np.unique(weights["logits"][known & (class_index == 1)]) == pytest.approx([5])
    assert (weights["logits"][~known] == 0).all()
    assert weights["logits"].dtype == np.float32
    assert weights["logits"][known].mean() == pytest.approx(1, abs=0.45)
    assert np.unique(weights["known"]) == pytest.approx([0.3])


LIMITED = replace(SPEC, sources=(SourceSpec("s", "s", limits=(("B", 3),)),))


def test_a_limit_takes_few_cells_of_its_class_alone():
    """Five of A stay; of B, in cells of 2, 3 and 1, the cell of three."""
    made = samples([0] * 5 + [1] * 6, group=[0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 7])
    is_selected = select_training_rows(LIMITED, made, np.ones(11, bool))
    assert is_selected.tolist() == [True] * 5 + [False] * 2 + [True] * 3 + [False]


def test_an_image_left_out_loses_its_other_crop():
    made = samples([1] * 4 + [OOD] * 4, group=[0, 0, 0, 1] * 2, file=["a", "b", "c", "d"] * 2)
    assert select_training_rows(LIMITED, made, np.ones(8, bool)).tolist() == [True, True, True, False] * 2


def test_a_limit_counts_what_may_be_trained_on():
    """The cell of three is held out: the limit is met by others and what is held out is not touched."""
    made = samples([1] * 6, group=[5, 5, 6, 6, 6, 7])
    among = np.array([True, True, False, False, False, True])
    assert select_training_rows(LIMITED, made, among).tolist() == among.tolist()


def test_a_limit_of_one_source_leaves_the_others():
    two = (SourceSpec("s", "s", limits=(("B", 1),)), SourceSpec("t", "t"))
    made = samples([1, 1, 1, 1], source=[0, 0, 1, 1], file=["a", "b", "a", "b"])
    is_selected = select_training_rows(replace(SPEC, sources=two), made, np.ones(4, bool))
    assert (is_selected[:2].sum(), is_selected[2:].sum()) == (1, 2)


def test_without_limits_all_is_trained_on():
    assert select_training_rows(SPEC, samples([0, 1, OOD]), np.array([True, False, True])).tolist() == [
        True,
        False,
        True,
    ]


def test_the_recipes_of_the_lecture_differ_in_their_treatment_alone():
    plain, *treated = [
        TrainSpec.read(SPECS / f"lecture-75-neutrophil{name}.json")
        for name in ("", "-class-weights", "-equal-parts", "-focal-loss")
    ]
    assert plain.sources[0].limits == (("NEUTROPHIL", 75),)
    assert (plain.class_sampling, plain.class_weights, plain.focal_gamma) == ("as they come", "none", 0)
    treatments = [(one.class_sampling, one.class_weights, one.focal_gamma) for one in treated]
    assert treatments == [("as they come", "balanced", 0), ("equal parts", "none", 0), ("as they come", "none", 2)]
    for one in treated:
        same = {
            name: getattr(plain, name) for name in ("class_sampling", "class_weights", "focal_gamma", "name", "title")
        }
        assert replace(one, **same) == plain
    assert len({one.name for one in (plain, *treated)}) == 4


def listed(sizes):
    """Files and source cells, a cell of each size."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return [f"{row:04d}.png" for row in range(len(groups))], groups


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 200), st.integers(0, 50))
def test_exactly_so_many_from_as_few_cells_as_can_be(sizes, most, seed):
    files, groups = listed(sizes)
    rows = select_from_few_cells(files, groups, most, seed)
    assert len(rows) == len(set(rows.tolist())) == min(most, sum(sizes))
    least = 1 + int(np.searchsorted(np.cumsum(sorted(sizes, reverse=True)), len(rows)))
    assert len(set(groups[rows].tolist())) == least


def test_of_all_cells_but_the_last_every_image_is_taken():
    """75 of cells of 30: two whole ones and half of a third."""
    files, groups = listed([30] * 6)
    rows = select_from_few_cells(files, groups, 75, seed=0)
    assert sorted(np.unique(groups[rows], return_counts=True)[1].tolist()) == [15, 30, 30]


def test_the_only_choice_that_is_small_enough():
    """60 images of two cells: 50 and 10 or more; the single image and the 9 cannot help."""
    files, groups = listed([1, 50, 9, 10])
    for seed in range(20):
        assert set(groups[select_from_few_cells(files, groups, 60, seed)].tolist()) == {1, 3}


def test_the_seed_draws_the_cells():
    files, groups = listed([20] * 30)
    chosen = {tuple(sorted(set(groups[select_from_few_cells(files, groups, 40, seed)].tolist()))) for seed in range(10)}
    assert len(chosen) > 5
    assert np.array_equal(select_from_few_cells(files, groups, 35, 3), select_from_few_cells(files, groups, 35, 3))


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(random):
    files, groups = listed([5, 9, 9, 3, 12])
    order = list(range(len(files)))
    random.shuffle(order)
    shuffled = [files[row] for row in order]
    taken = {files[row] for row in select_from_few_cells(files, groups, 15, seed=1)}
    assert {shuffled[row] for row in select_from_few_cells(shuffled, groups[order], 15, seed=1)} == taken


@pytest.mark.parametrize("most", [6, 7, 100])
def test_no_more_than_there_are(most):
    files, groups = listed([2, 4])
    assert select_from_few_cells(files, groups, most, seed=0).tolist() == [0, 1, 2, 3, 4, 5]


def test_no_images():
    assert select_from_few_cells([], np.array([], int), 5, seed=0).tolist() == []
