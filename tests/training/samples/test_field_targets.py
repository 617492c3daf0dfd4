"""What a detector learns of a tile: heat, weights and sides, laid out by class."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.model_store.detectors import STRIDE
from bloodcell.training.samples.field_targets import N_CLASSES, make_targets
from bloodcell.training.samples.field_tiles import Tile

TILE_PX, SIDE = 64, 16


def split(*cells, tile_px=TILE_PX):
    """Heat (h, w, 3), weight (h, w, 3) and sides (h, w, 3, 4) for cells (class, top, left, bottom, right)."""
    boxes = np.array([cell[1:] for cell in cells], np.float32).reshape(-1, 4)
    classes = np.array([cell[0] for cell in cells], np.int64)
    targets = make_targets(Tile(np.zeros((tile_px, tile_px, 3), np.uint8), boxes, classes))
    assert (targets.dtype, targets.shape) == (np.float32, (tile_px // 4, tile_px // 4, 18))
    return targets[..., :3], targets[..., 3:6], targets[..., 6:].reshape(*targets.shape[:2], 3, 4)


def give_back(sides, row, col, class_index):
    """The box that the sides at one place of the map stand for, in pixels."""
    top, left, bottom, right = sides[row, col, class_index]
    return [STRIDE * end for end in (row + 0.5 - top, col + 0.5 - left, row + 0.5 + bottom, col + 0.5 + right)]


def test_a_tile_without_cells_is_cold():
    assert not any(part.any() for part in split())


def test_one_cell_by_hand():
    """Rows 8 to 32 and columns 12 to 40: on the map 2 to 8 and 3 to 10, the middle (5, 6.5) in the place (5, 6)."""
    heat, weight, sides = split((1, 8, 12, 32, 40))
    assert heat[5, 6, 1] == 1
    assert (heat == 1).sum() == 1
    # half sides of 3 and 3.5, of which 36 % are spreads of 1.08 and 1.26
    assert heat[6, 6, 1] == pytest.approx(math.exp(-((1 / 1.08) ** 2) / 2), abs=1e-6)
    assert heat[5, 8, 1] == pytest.approx(math.exp(-((2 / 1.26) ** 2) / 2), abs=1e-6)
    assert not heat[..., [0, 2]].any()
    assert not weight[..., [0, 2]].any()
    # from the middle (5.5, 6.5) of the place to rows 2 and 8 and columns 3 and 10
    assert sides[5, 6, 1].tolist() == [3.5, 3.5, 2.5, 3.5]
    # heat of 0.4 or more: one place up or down (0.65), one to the left or right (0.73), both (0.48), not two (0.28)
    assert (weight[..., 1] > 0).sum() == 9
    assert (weight[4:7, 5:8, 1] > 0).all()
    assert weight[5, 6, 1] > weight[5, 5, 1] > weight[4, 5, 1]
    assert weight.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 4, 4),  # the smallest, in the corner
        (60, 60, 64, 64),
        (0, 0, 64, 64),
        (31, 0, 35, 64),
        (0, 40, 7, 52),
        (13.7, 21.2, 40.9, 33.3),
    ],
)
def test_sides_give_the_box_back_wherever_they_are_learned(box):
    _, weight, sides = split((2, *box))
    places = np.argwhere(weight[..., 2] > 0)
    assert len(places) > 0
    for row, col in places:
        assert give_back(sides, row, col, 2) == pytest.approx(box, abs=1e-4)
    assert weight.sum() == pytest.approx(1)


def test_no_side_is_nearer_than_a_tenth_of_a_stride():
    """Rows 30 to 34 are 7.5 to 8.5 on the map: from the middle 8.5 of the place nothing to the bottom, told as 0.4 px."""
    _, _, sides = split((2, 30, 0, 34, 64))
    assert give_back(sides, 8, 8, 2) == pytest.approx([30, 0, 34.4, 64])


def test_cells_of_different_classes_do_not_see_each_other():
    one, other = (0, 8, 12, 32, 40), (1, 10, 14, 30, 36)
    both, *alone = split(one, other), split(one), split(other)
    for whole, first, second in zip(both, *alone, strict=True):
        assert np.array_equal(whole[:, :, 0], first[:, :, 0])
        assert np.array_equal(whole[:, :, 1], second[:, :, 1])


def test_where_cells_of_one_class_overlap_the_smaller_one_has_the_sides():
    large, small = (1, 0, 0, 60, 60), (1, 32, 32, 44, 44)
    for cells in ((large, small), (small, large)):
        heat, weight, sides = split(*cells)
        # (30, 30) lies in the place (7, 7), (38, 38) in the place (9, 9)
        assert heat[7, 7, 1] == heat[9, 9, 1] == 1
        assert give_back(sides, 9, 9, 1) == pytest.approx(small[1:])
        assert give_back(sides, 7, 7, 1) == pytest.approx(large[1:])
        assert np.array_equal(heat[..., 1], np.maximum(split(large)[0], split(small)[0])[..., 1])
        assert 1 < weight.sum() < 2  # the smaller one took places from the larger


def test_two_cells_with_one_middle_have_one_centre():
    heat, _, sides = split((0, 10, 10, 54, 54), (0, 20, 20, 44, 44))
    assert (heat == 1).sum() == 1
    assert give_back(sides, 8, 8, 0) == pytest.approx([20, 20, 44, 44])


def test_equal_cells_are_one():
    box = (0, 8, 12, 32, 40)
    for twice, once in zip(split(box, box), split(box), strict=True):
        assert np.array_equal(twice, once)


def test_larger_tiles_have_larger_maps():
    heat, _, sides = split((0, 100, 100, 120, 120), tile_px=192)
    assert heat[27, 27, 0] == 1  # 110 / 4 = 27.5
    assert give_back(sides, 27, 27, 0) == pytest.approx([100, 100, 120, 120])


@st.composite
def boxes(draw):
    """Class and a box of 4 px or more inside the tile."""
    ends = []
    for _ in range(2):
        size = draw(st.floats(4, TILE_PX))
        start = draw(st.floats(0, TILE_PX - size))
        ends.append((start, start + size))
    return draw(st.integers(0, N_CLASSES - 1)), ends[0][0], ends[1][0], ends[0][1], ends[1][1]


@given(boxes())
def test_one_cell_has_one_centre_weights_of_1_and_its_own_box(cell):
    heat, weight, sides = split(cell)
    assert (heat == 1).sum() == 1
    assert heat.max() == 1
    assert heat.min() >= 0
    assert weight.sum() == pytest.approx(1, abs=1e-5)
    row, col, class_index = np.argwhere(heat == 1)[0]
    assert class_index == cell[0]
    assert weight[row, col, class_index] == weight.max()
    assert give_back(sides, row, col, class_index) == pytest.approx(cell[1:], abs=0.41)
    for place, start, end in ((row, cell[1], cell[3]), (col, cell[2], cell[4])):
        assert STRIDE * place - 1e-3 <= (start + end) / 2 <= STRIDE * (place + 1) + 1e-3


@given(st.lists(boxes(), max_size=6))
def test_whatever_the_cells_numbers_are_in_order(cells):
    heat, weight, sides = split(*cells)
    assert np.isfinite(heat).all()
    assert ((weight > 0) == (sides > 0).all(axis=-1)).all()
    assert weight.sum() <= len(cells) + 1e-4
    assert (heat == 1).sum() <= len(cells)
