import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bloodcell.core.errors import ImageError
from bloodcell.imaging.histogram import compute_gray_histogram, convert_to_gray


def test_gray_weighs_the_channels():
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 10, 10]]], np.uint8)
    # 0.299 * 255 = 76.2; 0.587 * 255 = 149.7; 0.114 * 255 = 29.1
    assert convert_to_gray(rgb).tolist() == [[76, 150, 29, 10]]


def test_histogram_counts_each_value():
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 0] = 255
    rgb[1] = 7
    counts = compute_gray_histogram(rgb)
    assert counts.dtype == np.int64
    assert counts.shape == (256,)
    assert (counts[0], counts[7], counts[255], counts.sum()) == (2, 3, 1, 6)


def test_black_can_be_left_out():
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[0] = 90
    counts = compute_gray_histogram(rgb, ignore_black=True)
    assert (counts[0], counts[90], counts.sum()) == (0, 4, 4)


def test_view_with_steps_is_counted_as_its_copy():
    rgb = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(compute_gray_histogram(rgb[::2, ::-2]), compute_gray_histogram(rgb[::2, ::-2].copy()))


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_only_rgb_is_taken(wrong):
    for function in (convert_to_gray, compute_gray_histogram):
        with pytest.raises(ImageError, match="An RGB image must be uint8"):
            function(wrong)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_counts_sum_to_the_pixels(rgb):
    assert compute_gray_histogram(rgb).sum() == rgb.shape[0] * rgb.shape[1]
