"""Charts of gray levels: what counts as dark, means and spreads, where the lines are."""

import numpy as np
import pytest

from bloodcell.imaging.gray_levels import count_gray_levels, summarise_levels_by_class
from bloodcell.plots import gray_levels
from bloodcell.plots.gray_levels import plot_gray_histogram


def flat(level):
    return count_gray_levels(np.full((4, 4, 3), level, np.uint8))


def test_one_image_with_its_thresholds():
    figure = gray_levels.plot_image_histogram(flat(90), "<b>x")
    assert figure.data[0].y[90] == 100
    assert [line.x0 for line in figure.layout.shapes] == [150.5, 180.5, 200.5, 90.5]
    assert "&lt;b&gt;x" in figure.layout.title.text
    assert "black border 0.0 %" in figure.layout.title.text


@pytest.mark.parametrize("n_classes", [1, 2, 4, 8, 30])
def test_means_bands_and_overlay(n_classes):
    labels = [f"C{at:02}" for at in range(n_classes) for _ in range(2)]
    images = [flat(100 + 20 * (at % 2)) for at in range(2 * n_classes)]
    statistics = summarise_levels_by_class(images, labels)
    grid = gray_levels.plot_class_means(statistics)
    assert len(grid.data) == 2 * n_classes
    band, mean = grid.data[:2]
    assert (mean.y[100], mean.y[120]) == (50, 50)  # one image of two at each level
    assert (band.y[100], band.y[-1 - 100]) == (100, 0)  # 50 ± 50
    overlay = gray_levels.plot_classes_overlaid(statistics)
    assert len(overlay.data) == n_classes
    assert overlay.data[0].name == "C00 · 2 images · border 0.0 %"
    single = gray_levels.plot_images_by_class(images, labels, labels)
    assert len(single.data) == 2 * n_classes


def test_no_class_at_all_is_drawn():
    for figure in (
        gray_levels.plot_class_means({}),
        gray_levels.plot_classes_overlaid({}),
        gray_levels.plot_images_by_class([], [], []),
    ):
        assert len(figure.data) == 0


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


def test_a_peak_of_the_background_is_cut_and_the_title_says_so():
    levels = np.full((100, 100, 3), 230, np.uint8)
    levels[:10] = np.arange(100, 200, dtype=np.uint8)[:, None]  # a tenth of the pixels, evenly over 100 levels
    figure = gray_levels.plot_image_histogram(count_gray_levels(levels), "x")
    assert max(figure.data[0].y) == 90
    assert figure.layout.yaxis.range[1] < 90
    assert "peaks cut at" in figure.layout.title.text


def test_black_borders_can_be_shown():
    rgb = np.full((60, 60, 3), 120, np.uint8)
    rgb[:30, :30] = 0
    image = count_gray_levels(rgb)
    shown = gray_levels.plot_image_histogram(image, "x", ignore_black=False)
    assert shown.data[0].y[0] == 25
    assert gray_levels.plot_image_histogram(image, "x").data[0].y[0] == 0
    (line,) = gray_levels.plot_images_by_class([image], ["A"], ["x"], ignore_black=False).data
    assert (line.y[0], line.y[120]) == (25, 75)
