import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.training.samples.class_limits import select_from_few_cells


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
