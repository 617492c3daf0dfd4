import numpy as np
import pytest

from bloodcell.core.errors import ImageError
from bloodcell.imaging.gray_levels import count_gray_levels, summarise_levels, summarise_levels_by_class
from bloodcell.imaging.threshold import find_threshold_level, mask_by_threshold


def flat(level, height=4, width=5):
    return np.full((height, width, 3), level, np.uint8)


def bordered():
    """10x10 at level 100, four columns black: with the blurred one beside them half of it is border."""
    rgb = flat(100, 10, 10)
    rgb[:, :4] = 0
    return rgb


def test_black_border_is_counted_apart():
    levels = count_gray_levels(bordered())
    assert (levels.counts[0], levels.counts[100], levels.counts.sum()) == (40, 60, 100)
    assert (levels.lit[0], levels.lit[100], levels.lit.sum()) == (0, 50, 50)
    assert levels.border_share == 0.5
    assert levels.otsu == 100


def test_images_of_different_sizes_count_alike():
    found = summarise_levels([count_gray_levels(flat(50, 2, 2)), count_gray_levels(flat(60, 40, 50))])
    assert found.n_images == 2
    assert (found.mean[50], found.mean[60], found.mean.sum()) == (0.5, 0.5, 1.0)
    assert (found.spread[50], found.spread[60]) == (0.5, 0.5)  # shares 1 and 0: mean 0.5, each 0.5 away
    assert found.otsu == 55


def test_black_can_stay():
    kept = summarise_levels([count_gray_levels(bordered())], ignore_black=False)
    assert (kept.mean[0], kept.mean[100]) == pytest.approx((0.4, 0.6))
    assert kept.border_share == 0.5
    assert kept.spread.max() == 0


def test_a_black_image_is_left_out_and_told():
    found = summarise_levels([count_gray_levels(flat(0)), count_gray_levels(flat(90))])
    assert (found.n_images, found.n_black, found.mean[90], found.border_share) == (1, 1, 1.0, 0.5)
    for none in (summarise_levels([]), summarise_levels([count_gray_levels(flat(0))])):
        assert (none.n_images, none.mean.sum(), none.spread.sum(), none.otsu) == (0, 0, 0, 0)


def test_by_class():
    images = [count_gray_levels(flat(level)) for level in (10, 50, 70)]
    found = summarise_levels_by_class(images, ["B", "A", "A"], ignore_black=False)
    assert list(found) == ["A", "B"]
    assert (found["A"].n_images, found["A"].mean[70], found["B"].mean[10]) == (2, 0.5, 1.0)
    with pytest.raises(ImageError, match=r"as many labels as images\. Received: 2 and 3"):
        summarise_levels_by_class(images, ["A", "B"])


def test_presets_and_levels():
    rgb = flat(180)
    assert [find_threshold_level(rgb, name) for name in ("white cell", "cells", "background", 7)] == [150, 180, 200, 7]
    assert not mask_by_threshold(rgb, "white cell").any()
    assert mask_by_threshold(rgb, "cells").all()  # at the threshold is dark


def test_otsu_leaves_out_the_border():
    rgb = bordered()
    rgb[:, 8:] = 220
    assert find_threshold_level(rgb, "Otsu") == 100
    assert mask_by_threshold(rgb, "Otsu").sum() == 30
    assert mask_by_threshold(rgb, "Otsu", ignore_black=False).sum() == 80


@pytest.mark.parametrize("wrong", ["otsu", -1, 256])
def test_other_thresholds_are_refused(wrong):
    with pytest.raises(ImageError, match=r"must be one of .* or from 0 to 255\. Received"):
        find_threshold_level(flat(9), wrong)
