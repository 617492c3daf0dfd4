import cv2
import numpy as np
import pytest

from bloodcell.imaging.boxes import Box
from bloodcell.imaging.nuclei import MIN_CONTRAST, Nucleus, dilate_square, grow_cells, label_nuclei, mask_nuclei

SHAPE = (120, 160)
VALID = np.ones(SHAPE, bool)


def discs(*places, level=1.0, background=0.0):
    """Contrast map with a disc for each (row, col, radius)."""
    contrast = np.full(SHAPE, background, np.float32)
    for row, col, radius in places:
        cv2.circle(contrast, (col, row), radius, level, -1)
    return contrast


def labelled(contrast, is_close_up=False, valid=VALID):
    mask = (contrast > 0.3).astype(np.uint8)
    return label_nuclei(mask, contrast, valid, is_close_up)


def test_mask_is_the_dark_disc():
    contrast = discs((60, 80, 15), level=1.0, background=0.1)
    mask, threshold, _ = mask_nuclei(contrast, VALID)
    assert 0.1 <= threshold < 1.0
    assert ((mask > 0) != (contrast > 0.5)).sum() <= 4  # opening takes the four tips of a drawn disc


def test_no_mask_where_nothing_has_contrast():
    mask, threshold, largest_px = mask_nuclei(discs((60, 80, 15), level=0.9 * MIN_CONTRAST), VALID)
    assert (mask.max(), largest_px) == (0, 0)
    assert threshold >= MIN_CONTRAST


def test_mask_leaves_out_what_is_not_valid():
    valid = VALID.copy()
    valid[:, :80] = False
    mask, _, largest_px = mask_nuclei(discs((60, 40, 15), (60, 120, 15)), valid)
    assert mask[:, :80].max() == 0
    assert mask[60, 120] == 1
    assert largest_px == mask.sum()


def test_threshold_rises_where_red_cells_were_taken_too():
    """A carpet of red cells that reaches three sides is no nucleus."""
    contrast = discs((60, 120, 12), level=1.0, background=0.05)
    contrast[:, :100] = 0.6
    mask, threshold, _ = mask_nuclei(contrast, VALID)
    assert threshold >= 0.6
    assert mask[:, :100].max() == 0
    assert ((mask > 0) != (contrast > 0.7)).sum() <= 4


def test_dilate_square():
    mask = np.zeros((9, 9), np.uint8)
    mask[4, 4] = 1
    assert dilate_square(mask, 2).sum() == 25


def test_one_nucleus_with_its_measures():
    labels, nuclei = labelled(discs((60, 80, 15)))
    (nucleus,) = nuclei
    assert (nucleus.left, nucleus.top, nucleus.width, nucleus.height) == (65, 45, 31, 31)
    assert nucleus.area_px == pytest.approx(np.pi * 15**2, rel=0.05)
    assert nucleus.density == pytest.approx(1.0)
    assert not nucleus.at_border
    assert labels[60, 80] == nucleus.label


def test_lobes_nearer_than_the_gap_are_one_nucleus():
    _, near = labelled(discs((60, 60, 10), (60, 84, 10)))  # 3 px between them
    _, far = labelled(discs((60, 40, 10), (60, 100, 10)))  # 39 px
    assert len(near) == 1
    assert near[0].area_px == pytest.approx(2 * np.pi * 10**2, rel=0.1)  # the bridge is no nucleus
    assert len(far) == 2


def test_a_close_up_joins_lobes_farther_apart():
    lobes = discs((60, 60, 12), (60, 102, 12))
    lobes[55:66, 72:90] = 0
    lobes[50:71, 50:64], lobes[50:71, 80:94] = 1.0, 1.0  # flat sides, 16 px between them
    lobes[:, 64:80] = 0
    assert len(labelled(lobes)[1]) == 2
    assert len(labelled(lobes, is_close_up=True)[1]) == 1


def test_specks_platelets_and_faint_spots_are_dropped():
    contrast = discs((60, 60, 16), (20, 20, 3), (20, 140, 6))  # a cell, a speck, a small spot
    cv2.circle(contrast, (130, 90), 14, 0.4, -1)  # large but faint: 0.4 of the darkest
    _, nuclei = labelled(contrast)
    assert [(n.left, n.top) for n in nuclei] == [(44, 44)]


def test_a_piece_at_the_border_must_be_larger():
    """The same third of the largest nucleus counts inside the image and not at its border."""
    inside, cut = discs((60, 60, 20), (60, 120, 12)), discs((60, 60, 20), (60, 154, 13))
    assert len(labelled(inside)[1]) == 2
    assert len(labelled(cut)[1]) == 1


def test_nothing_to_label():
    labels, nuclei = labelled(discs())
    assert nuclei == []
    assert labels.max() == 0


def test_a_cell_grows_into_its_cytoplasm_but_not_into_far_matter():
    contrast = discs((60, 80, 15))
    labels, nuclei = labelled(contrast)
    matter = discs((60, 80, 20), (60, 130, 15)).astype(np.uint8)  # cytoplasm of 5 px around; something beside
    (box,) = grow_cells(nuclei, labels, matter, False)
    assert box == pytest.approx(Box(40, 60, 81, 101), abs=1)  # opening may take the tips of a drawn disc


def test_growth_ends_within_reach():
    """Matter everywhere: the box grows by a quarter of the nucleus on each side, 0.25 * 31 = 8 px."""
    labels, nuclei = labelled(discs((60, 80, 15)))
    (box,) = grow_cells(nuclei, labels, np.ones(SHAPE, np.uint8), False)
    assert box == Box(45 - 8, 65 - 8, 76 + 8, 96 + 8)


def test_a_nucleus_without_cytoplasm_is_its_own_box():
    labels, nuclei = labelled(discs((60, 80, 15)))
    assert grow_cells(nuclei, labels, np.zeros(SHAPE, np.uint8), False) == [Box(45, 65, 76, 96)]


def test_two_cells_apart_stay_two():
    contrast = discs((60, 40, 15), (60, 110, 15))
    labels, nuclei = labelled(contrast)
    boxes = grow_cells(nuclei, labels, (contrast > 0).astype(np.uint8), False)
    assert sorted(boxes) == [Box(45, 25, 76, 56), Box(45, 95, 76, 126)]


def test_nuclei_in_one_cytoplasm_become_one_cell():
    """Boxes of two nuclei that lie across each other: they share more than the limit."""
    labels = np.zeros(SHAPE, np.int32)
    labels[40:70, 40:60] = 1
    labels[50:80, 45:75] = 2
    nuclei = [Nucleus(1, 40, 40, 20, 30, 500, 1.0, False), Nucleus(2, 45, 50, 30, 30, 900, 1.0, False)]
    assert grow_cells(nuclei, labels, np.zeros(SHAPE, np.uint8), False) == [Box(40, 40, 80, 75)]


def test_a_close_up_joins_boxes_that_touch_at_all():
    """Boxes 40..60 and 57..77 share 3 of 20 columns: 0.15 of each, too little in a field."""
    labels = np.zeros(SHAPE, np.int32)
    labels[40:60, 40:57] = 1
    labels[41, 57:60] = 1
    labels[42:60, 57:77] = 2
    labels[40:60, 70:77] = 2
    nuclei = [Nucleus(1, 40, 40, 20, 20, 343, 1.0, False), Nucleus(2, 57, 40, 20, 20, 374, 1.0, False)]
    nothing = np.zeros(SHAPE, np.uint8)
    assert len(grow_cells(nuclei, labels, nothing, False)) == 2
    assert grow_cells(nuclei, labels, nothing, True) == [Box(40, 40, 60, 77)]
