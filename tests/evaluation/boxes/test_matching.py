"""Pairs, hits, missed cells and false boxes of one field, by hand."""

import numpy as np
import pytest

from bloodcell.evaluation.boxes.matching import SAME_IOU, ClassMatch, TrueBoxes, match_class
from bloodcell.inference.detections import NOTHING, Detections


def true(*cells):
    """Labelled cells (class, top, left, bottom, right)."""
    boxes = np.array([cell[1:] for cell in cells], np.float32).reshape(-1, 4)
    return TrueBoxes(boxes, np.array([cell[0] for cell in cells], np.int64))


def found(*cells):
    """The same with scores that fall from 0.9."""
    labelled = true(*cells)
    return Detections(labelled.boxes, labelled.class_index, 0.9 - 0.01 * np.arange(len(cells), dtype=np.float32))


A, B = (1, 0, 0, 10, 10), (1, 0, 20, 10, 30)


def test_what_is_found_exactly_is_matched_and_hit():
    assert match_class(true(A, B), found(B, A), 1) == ClassMatch(2, 2, n_matched=2, n_centres=2, missed=(), false=())


def test_nothing_found_is_all_missed():
    assert match_class(true(A, B), NOTHING, 1) == ClassMatch(2, 0, 0, 0, missed=(0, 1), false=())


def test_nothing_there_is_all_false():
    assert match_class(true(), found(A, B), 1) == ClassMatch(0, 2, 0, 0, missed=(), false=(0, 1))


def test_nothing_of_nothing():
    assert match_class(true(), NOTHING, 1) == ClassMatch(0, 0, 0, 0, (), ())


def test_other_classes_do_not_count_and_positions_are_those_of_the_field():
    """The red cells are at 1 and 3 of the labels, and at 0 and 2 of what was found."""
    labels = true((0, 0, 0, 10, 10), A, (2, 0, 20, 10, 30), B)
    seen = found((1, 50, 50, 60, 60), (0, 0, 0, 10, 10), A)
    assert match_class(labels, seen, 1) == ClassMatch(2, 2, n_matched=1, n_centres=1, missed=(3,), false=(0,))
    assert match_class(labels, seen, 2) == ClassMatch(1, 0, 0, 0, missed=(2,), false=())


@pytest.mark.parametrize(
    ("shift", "n_matched"),
    [
        (3, 1),  # 7 of 13 columns are shared: 0.54
        (4, 0),  # 6 of 14: 0.43
    ],
)
def test_a_pair_shares_half_of_what_both_cover(shift, n_matched):
    """The middle lies in the true box in both cases, so the cell is hit."""
    match = match_class(true(A), found((1, 0, shift, 10, 10 + shift)), 1)
    assert match == ClassMatch(1, 1, n_matched, 1, missed=(), false=())


def test_just_half_is_a_pair():
    """10 x 5 px in 10 x 10 px: 0.5."""
    assert SAME_IOU == 0.5
    assert match_class(true(A), found((1, 0, 0, 10, 5)), 1).n_matched == 1


@pytest.mark.parametrize(("left", "is_hit"), [(4, True), (5, True), (6, False)])
def test_a_middle_on_the_edge_is_inside(left, is_hit):
    """Middles at the columns 9, 10 and 11 of a box that ends at 10."""
    match = match_class(true(A), found((1, 0, left, 10, left + 10)), 1)
    assert (match.n_centres, match.false) == ((1, ()) if is_hit else (0, (0,)))


def test_a_second_box_on_one_cell_is_false():
    match = match_class(true(A), found(A, (1, 0, 1, 10, 11)), 1)
    assert match == ClassMatch(1, 2, n_matched=1, n_centres=1, missed=(), false=(1,))


def test_the_best_score_chooses_first():
    """The first takes the cell that it fits best, so the second is left with the other."""
    left, right = (1, 0, 0, 10, 10), (1, 0, 4, 10, 14)
    # 0 to 9 shares 9 of 10 columns with the left cell; 2 to 12 shares 8 of 12 with either
    match = match_class(true(left, right), found((1, 0, 2, 10, 12), (1, 0, 0, 10, 9)), 1)
    # the first is a tie and takes the left one; the second shares 5 of 14 with the right one and its middle is 4.5
    assert match == ClassMatch(2, 2, n_matched=1, n_centres=2, missed=(), false=())
    match = match_class(true(left, right), found((1, 0, 0, 10, 9), (1, 0, 2, 10, 12)), 1)
    assert match == ClassMatch(2, 2, n_matched=2, n_centres=2, missed=(), false=())


def test_one_large_box_over_two_cells_hits_one():
    """Rows 0 to 10 and columns 0 to 30, its middle at 15 in neither; a third cell there is the one."""
    wide = found((1, 0, 0, 10, 30))
    assert match_class(true(A, B), wide, 1) == ClassMatch(2, 1, 0, 0, missed=(0, 1), false=(0,))
    assert match_class(true(A, (1, 0, 12, 10, 18), B), wide, 1) == ClassMatch(3, 1, 0, 1, missed=(0, 2), false=())


def test_a_box_without_area_matches_nothing():
    assert match_class(true(A), found((1, 5, 5, 5, 5)), 1) == ClassMatch(1, 1, 0, 1, missed=(), false=())
    assert match_class(true((1, 5, 5, 5, 5)), found(A), 1) == ClassMatch(1, 1, 0, 1, missed=(), false=())


def test_counts_add_up_whatever_the_boxes():
    rng = np.random.default_rng(0)
    for _ in range(100):
        cells = [
            [
                (int(rng.integers(2)), top, left, top + 10, left + 10)
                for top, left in rng.integers(0, 40, (rng.integers(9), 2))
            ]
            for _ in range(2)
        ]
        labels, seen = true(*cells[0]), found(*cells[1])
        for class_index in (0, 1):
            match = match_class(labels, seen, class_index)
            assert match.n_true == match.n_centres + len(match.missed) == (labels.class_index == class_index).sum()
            assert match.n_found == match.n_centres + len(match.false) == (seen.class_index == class_index).sum()
            assert match.n_matched <= min(match.n_true, match.n_found)
