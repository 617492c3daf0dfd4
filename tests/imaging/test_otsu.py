import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu

from bloodcell.core.errors import ImageError
from bloodcell.imaging.otsu import MASK_NAMES, find_otsu_threshold, mask_below, mask_by_otsu, overlay_mask


def disc() -> tuple[np.ndarray, np.ndarray]:
    """A dark violet disc on a light field, and the truth."""
    rows, cols = np.mgrid[:40, :60]
    inside = (rows - 20) ** 2 + (cols - 30) ** 2 <= 12**2
    rgb = np.full((40, 60, 3), (230, 220, 215), np.uint8)
    rgb[inside] = (110, 60, 140)
    return rgb, inside


def test_two_values_are_parted():
    channel = np.array([[50, 50, 200], [50, 200, 200]], np.uint8)
    threshold = find_otsu_threshold(channel)
    assert 50 <= threshold < 200
    assert mask_below(channel, threshold).tolist() == [[True, True, False], [True, False, False]]


def test_one_value_is_its_own_threshold():
    for value in (0, 93, 255):
        assert find_otsu_threshold(np.full((3, 4), value, np.uint8)) == value


def test_black_corners_can_be_left_out():
    channel = np.zeros((10, 10), np.uint8)
    channel[:, 4:] = 140
    channel[:, 7:] = 220
    assert find_otsu_threshold(channel) < 140
    assert 140 <= find_otsu_threshold(channel, ignore_black=True) < 220
    assert find_otsu_threshold(np.zeros((3, 3), np.uint8), ignore_black=True) == 0


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_agrees_with_scikit_image(channel):
    expected = threshold_otsu(channel) if channel.min() < channel.max() else channel.flat[0]
    assert np.array_equal(channel <= find_otsu_threshold(channel), channel <= expected)


@pytest.mark.parametrize(("threshold", "marked"), [(-1, 0), (0, 1), (99, 1), (100, 2), (255, 3), (300, 3)])
def test_mask_holds_the_dark_side_with_the_threshold(threshold, marked):
    assert mask_below(np.array([[0, 100, 255]], np.uint8), threshold).sum() == marked


def test_masks_of_grey_and_each_channel_find_the_disc():
    rgb, inside = disc()
    masks = mask_by_otsu(rgb)
    assert tuple(masks) == MASK_NAMES == ("gray", "red", "green", "blue")
    for mask in masks.values():
        assert mask.dtype == bool
        assert np.array_equal(mask, inside)


def test_channels_are_not_mixed_up():
    rgb = np.full((4, 6, 3), 200, np.uint8)
    rgb[0, :, 0], rgb[1, :, 1], rgb[2, :, 2] = 10, 10, 10
    masks = mask_by_otsu(rgb)
    for row, name in enumerate(("red", "green", "blue")):
        assert np.flatnonzero(masks[name].any(axis=1)).tolist() == [row]


def test_black_border_is_in_no_mask():
    rgb, inside = disc()
    rgb[:, :15] = 0
    for mask in mask_by_otsu(rgb, ignore_black=True).values():
        assert np.array_equal(mask, inside)


def test_one_colour_is_foreground_throughout():
    assert all(mask.all() for mask in mask_by_otsu(np.full((5, 5, 3), 40, np.uint8)).values())


def test_overlay_tints_the_marked_pixels_only():  # 100 * 0.5 + (0, 200, 50) * 0.5 = (50, 150, 75)
    rgb = np.full((2, 2, 3), 100, np.uint8)
    mask = np.array([[True, False], [False, False]])
    tinted = overlay_mask(rgb, mask, (0, 200, 50), opacity=0.5)
    assert tinted[0, 0].tolist() == [50, 150, 75]
    assert (tinted[~mask] == 100).all()
    assert (rgb == 100).all()


def test_wrong_arrays_are_refused():
    rgb, inside = disc()
    for function in (find_otsu_threshold, lambda channel: mask_below(channel, 9)):
        with pytest.raises(
            ImageError, match=r"A channel must be uint8 of shape \(H, W\). Received: uint8 \(40, 60, 3\)"
        ):
            function(rgb)
    with pytest.raises(ImageError, match="An RGB image must be uint8"):
        mask_by_otsu(rgb[..., 0])
    with pytest.raises(ImageError, match=r"`mask` must be bool of shape \(40, 60\). Received: bool \(39, 60\)"):
        overlay_mask(rgb, inside[1:])
    with pytest.raises(ImageError, match=r"`mask` must be bool .* Received: int64"):
        overlay_mask(rgb, inside.astype(np.int64))
