"""Maps over crops: values, colours and the bar that says what they mean."""

import numpy as np
import pytest

from bloodcell.plots.explanation_maps import (
    AGAINST_RGB,
    FOR_RGB,
    OPACITY,
    find_map_range,
    plot_map,
    render_channel,
    render_map,
)


def gray(height, width, level=200):
    return np.full((height, width, 3), level, np.uint8)


def test_the_strongest_colour_is_never_less_than_a_tenth():
    assert find_map_range(np.array([[0.02, -0.01]])) == 0.1
    assert find_map_range(np.array([[0.2, -0.4]])) == pytest.approx(0.4)


def test_figure():
    values = np.zeros((8, 8), np.float32)
    values[2, 3] = 0.5
    figure = plot_map(gray(32, 32), values, "drop", 0.5, signed=True)
    image, heat = figure.data
    assert image.source.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(heat.z, values)
    assert (heat.zmin, heat.zmax) == (-0.5, 0.5)
    assert heat.colorbar.title.text == "drop"
    # place 2, 3 of 8 lies over pixels 8 to 11 and 12 to 15 of 32: middles 9.5 and 13.5
    assert (heat.y0 + 2 * heat.dy, heat.x0 + 3 * heat.dx) == (9.5, 13.5)
    assert heat.colorscale[0][1] == f"rgba({AGAINST_RGB[0]},{AGAINST_RGB[1]},{AGAINST_RGB[2]},{OPACITY})"
    one_way = plot_map(gray(32, 32), values, "share", 1.0, signed=False).data[1]
    assert (one_way.zmin, one_way.zmax, len(one_way.colorscale)) == (0, 1, 2)


def test_a_large_map_is_sent_smaller():
    heat = plot_map(gray(40, 80), np.ones((380, 760), np.float32), "share", 1.0, signed=False).data[1]
    assert heat.z.shape == (48, 96)


def test_a_map_over_the_gray_crop():
    """Half of a full drop covers with half of 0.85; 0 leaves the gray as it is."""
    drawn = render_map(gray(3, 3, 100), np.array([[1, 1, 1], [0, 0, 0], [-0.5, -0.5, -0.5]], np.float32), 1.0)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (3, 3, 3))
    assert drawn[0, 0].tolist() == pytest.approx([100 * 0.15 + one * 0.85 for one in FOR_RGB], abs=0.51)
    assert drawn[1, 1].tolist() == [100, 100, 100]
    assert drawn[2, 2].tolist() == pytest.approx([100 * 0.575 + one * 0.425 for one in AGAINST_RGB], abs=0.51)


def test_a_coloured_crop_is_drawn_in_gray():
    drawn = render_map(np.full((4, 4, 3), (200, 50, 90), np.uint8), np.zeros((2, 2), np.float32), 1.0)
    assert (drawn == drawn[..., :1]).all()


def test_channel():
    drawn = render_channel(np.array([[0.0, 1.0], [0.5, 2.0]]), 8)
    assert drawn.shape == (8, 8, 3)
    assert (drawn[0, 0, 0], drawn[0, 7, 0], drawn[7, 0, 0], drawn[7, 7, 0]) == (0, 255, 128, 255)
    assert render_channel(np.zeros((4, 6)), 3).shape == (4, 6, 3)  # never smaller than it is
