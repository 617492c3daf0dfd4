import numpy as np
import pandas as pd
import pytest

from bloodcell.imaging.gray_levels import count_gray_levels, summarise_levels_by_class
from bloodcell.imaging.segment import METHODS
from bloodcell.plots import cell_images, dataset, segmentation, theme
from bloodcell.plots import gray_levels as level_charts


def table(sizes, label="A", kind="JPEG"):
    rows = [(f"{at}.jpg", label, kind, height, width, "") for at, (width, height) in enumerate(sizes)]
    return pd.DataFrame(rows, columns=["file", "label", "format", "height_px", "width_px", "problem"])


def flat(level):
    return count_gray_levels(np.full((4, 4, 3), level, np.uint8))


@pytest.mark.parametrize("n_classes", [1, 2, 4, 8, 30])
def test_every_class_looks_different(n_classes):
    names = ["MONOCYTE", *(f"CLASS {number}" for number in range(n_classes - 1))]
    styles = theme.assign_class_styles(names)
    assert list(styles) == names
    assert len(set(styles.values())) == n_classes
    assert styles["MONOCYTE"].colour == theme.CLASS_COLOURS["MONOCYTE"]
    if n_classes <= 8:
        assert len({style.colour for style in styles.values()}) == n_classes


def test_names_hold_no_tags_in_charts():
    assert theme.format_chart_label("<A HREF='X'>Y") == "&lt;a href='x'&gt;y"
    assert len(theme.format_chart_label("A" * 500)) == theme.MAX_NAME_LENGTH


def test_class_balance_gives_counts_and_shares():
    (bars,) = dataset.plot_class_balance({"A": 30, "a": 10}).data
    assert list(bars.x) == [30, 10]
    assert list(bars.text) == [" 30 (75.0 %)", " 10 (25.0 %)"]
    assert list(bars.y) == [0, 1]  # two names that read alike keep a bar each
    assert dataset.plot_class_balance({}).data[0].x == ()


def test_sizes_are_bubbles_with_counts():
    (bubbles,) = dataset.plot_image_sizes(table([(320, 240)] * 3 + [(100, 90), (0, 0)])).data
    assert (list(bubbles.x), list(bubbles.y), list(bubbles.customdata)) == ([320, 100], [240, 90], [3, 1])
    assert len(dataset.plot_image_sizes(table([(0, 0)])).data) == 0


def test_many_sizes_are_a_map():
    (heat,) = dataset.plot_image_sizes(table([(100 + at, 100 + at % 7) for at in range(200)])).data
    assert heat.type == "heatmap"
    assert sum(n or 0 for row in heat.z for n in row) == 200


def test_formats_count_the_unreadable():
    both = pd.concat([table([(9, 9)] * 2), table([(0, 0)], kind="")])
    (bars,) = dataset.plot_formats(both).data
    assert dict(zip(bars.customdata, bars.x, strict=True)) == {"JPEG": 2, "unreadable": 1}


def test_one_image_with_its_thresholds():
    figure = level_charts.plot_image_histogram(flat(90), "<b>x")
    assert figure.data[0].y[90] == 100
    assert [line.x0 for line in figure.layout.shapes] == [150.5, 180.5, 200.5, 90.5]
    assert "&lt;b&gt;x" in figure.layout.title.text
    assert "black border 0.0 %" in figure.layout.title.text


@pytest.mark.parametrize("n_classes", [1, 2, 4, 8, 30])
def test_means_bands_and_overlay(n_classes):
    labels = [f"C{at:02}" for at in range(n_classes) for _ in range(2)]
    images = [flat(100 + 20 * (at % 2)) for at in range(2 * n_classes)]
    statistics = summarise_levels_by_class(images, labels)
    grid = level_charts.plot_class_means(statistics)
    assert len(grid.data) == 2 * n_classes
    band, mean = grid.data[:2]
    assert (mean.y[100], mean.y[120]) == (50, 50)  # one image of two at each level
    assert (band.y[100], band.y[-1 - 100]) == (100, 0)  # 50 ± 50
    overlay = level_charts.plot_classes_overlaid(statistics)
    assert len(overlay.data) == n_classes
    assert overlay.data[0].name == "C00 · 2 images · border 0.0 %"
    single = level_charts.plot_images_by_class(images, labels, labels)
    assert len(single.data) == 2 * n_classes


def test_no_class_at_all_is_drawn():
    for figure in (
        level_charts.plot_class_means({}),
        level_charts.plot_classes_overlaid({}),
        level_charts.plot_images_by_class([], [], []),
    ):
        assert len(figure.data) == 0


def compared(has_masks):
    rows = [
        (method, label, f"{label}.png", 5, 0.25, 0.5 if has_masks else np.nan, 0.75 if has_masks else np.nan)
        for method in METHODS
        for label in ("A", "B")
    ]
    return pd.DataFrame(rows, columns=["method", "label", "file", "area_px", "area_share", "dice_nucleus", "dice_cell"])


def test_dice_and_area_boxes():
    nucleus, cell = segmentation.plot_dice(compared(True)).data
    assert (nucleus.name, nucleus.x[0], cell.name, cell.x[0]) == ("Nucleus", 0.5, "Whole cell", 0.75)
    assert len(segmentation.plot_dice(compared(False)).data) == 0
    assert [box.name for box in segmentation.plot_areas(compared(True), by_class=True).data] == ["A", "B"]
    (together,) = segmentation.plot_areas(compared(True)).data
    assert set(together.x) == {25.0}


def test_contact_sheet_and_gray():
    rgb = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    sheet = cell_images.build_contact_sheet([rgb] * 3, n_columns=2, side_px=20, gap_px=4)
    assert sheet.shape == (44, 44, 3)
    assert sheet[10, 10].tolist() == [255, 0, 0]
    assert sheet[34, 34].tolist() == [255, 255, 255]
    assert cell_images.build_contact_sheet([], 4, side_px=20).shape == (20, 20, 3)
    assert cell_images.render_gray(rgb)[0, 0].tolist() == [76, 76, 76]  # 0.299 * 255


def test_an_outline_leaves_the_picture_as_it_was():
    rgb = np.full((40, 40, 3), 200, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    drawn = cell_images.draw_outline(rgb, mask, 80)
    assert drawn.shape == (80, 80, 3)
    assert drawn[20, 40].tolist() == list(theme.OUTLINE_RGB)
    assert (rgb == 200).all()
