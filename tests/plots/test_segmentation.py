"""Charts of segmentation methods: a box for each, by class where there are few."""

import numpy as np
import pandas as pd

from bloodcell.imaging.segment import METHODS
from bloodcell.plots import segmentation


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


def test_many_classes_share_a_box_for_each_method():
    one_class = compared(True)
    many = pd.concat([one_class.assign(label=f"C{number}") for number in range(segmentation.MAX_CLASSES + 1)])
    (together,) = segmentation.plot_areas(many, by_class=True).data
    assert together.name == "All classes"
    assert set(together.y) == set(METHODS.values())
    alone = segmentation.plot_areas(one_class[one_class["label"] == "A"], by_class=True)
    assert [box.name for box in alone.data] == ["All classes"]
    assert alone.layout.showlegend is False
