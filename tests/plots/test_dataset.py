"""Charts of a labelled set: how many images of each class, format and size."""

import pandas as pd

from bloodcell.plots import dataset


def table(sizes, label="A", kind="JPEG"):
    rows = [(f"{at}.jpg", label, kind, height, width, "") for at, (width, height) in enumerate(sizes)]
    return pd.DataFrame(rows, columns=["file", "label", "format", "height_px", "width_px", "problem"])


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
