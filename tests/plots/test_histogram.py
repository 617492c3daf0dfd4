"""The grayscale histogram: which bars count as dark, and where the lines stand."""

import numpy as np

from bloodcell.plots.gray_levels import plot_gray_histogram


def counts(**levels):
    result = np.zeros(256, np.int64)
    for name, number in levels.items():
        result[int(name[1:])] = number
    return result


def test_dark_and_light_bars_together_are_all_levels():
    dark, light = plot_gray_histogram(counts(g10=30, g200=70), threshold=100, otsu=90).data
    assert list(dark.x) == list(range(101))
    assert list(light.x) == list(range(101, 256))
    assert dark.y[10] == 30
    assert light.y[200 - 101] == 70


def test_the_legend_gives_shares():  # 30 of 100 pixels are at or below 100
    figure = plot_gray_histogram(counts(g10=30, g200=70), threshold=100, otsu=90)
    assert [trace.name for trace in figure.data] == ["Dark: 30 % of the crop", "Light: 70 %"]


def test_the_pixels_at_the_threshold_are_dark():
    dark, _ = plot_gray_histogram(counts(g100=5), threshold=100, otsu=0).data
    assert dark.y[100] == 5


def test_lines_stand_behind_their_levels():
    lines = plot_gray_histogram(counts(g0=1), threshold=100, otsu=90).layout.shapes
    assert [line.x0 for line in lines] == [100.5, 90.5]


def test_threshold_255_leaves_no_light_bar():
    _, light = plot_gray_histogram(counts(g255=1), threshold=255, otsu=255).data
    assert len(light.x) == 0


def test_an_empty_histogram_is_drawn():
    figure = plot_gray_histogram(np.zeros(256, np.int64), threshold=0, otsu=0)
    assert figure.data[0].name == "Dark: 0 % of the crop"
