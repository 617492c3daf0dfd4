"""The boxes of a batch as a zip: what is in it, under which labels, read back by our own readers."""

import json
import zipfile

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png
from bloodcell.inference.results import ImageResult, OtherCells
from bloodcell.review.box_edits import FieldBox, NewBox, edit_boxes, read_field_boxes
from bloodcell.review.box_export import export_boxes
from bloodcell.review.corrections import add_correction
from bloodcell.review.images import Arrival, add_images, store_results
from tests.review.batch import BIG_BOX, MODEL, MODEL_SHA, SMALL_BOX, cell, new_batch

RED, DRAWN = Box(300, 300, 390, 390), Box(10, 300, 90, 390)


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "images")


def add_field(db, blobs, batch_id, name, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    (added,) = add_images(db, batch_id, [Arrival(name, blobs.put(encode_png(rgb)))])
    others = OtherCells((RED,), (), 90.0, is_own_scale=False, sharpness=0.02)
    result = ImageResult("cells", (cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX)), "", 480, 640, others)
    store_results(db, [(added.image_id, result)], MODEL, MODEL_SHA)
    return added.image_id


def read_back(data, tmp_path):
    path = tmp_path / "boxes.zip"
    path.write_bytes(data)
    with Contents(path) as contents:
        return read_box_set(contents)


@pytest.mark.parametrize("kind", ["Pascal VOC", "COCO", "YOLO"])
def test_boxes_come_back_as_people_left_them(db, blobs, tmp_path, kind):
    batch_id = new_batch(db)
    image_id = add_field(db, blobs, batch_id, "slide 1/a.png", 1)
    add_field(db, blobs, batch_id, "slide 2/a.png", 2)
    edit_boxes(db, image_id, [FieldBox("RBC", RED)], [NewBox("RBC", DRAWN)], "Ada")
    add_correction(db, read_field_boxes(db, image_id)[0].cell_id, "NOT_A_CELL", "Ada")
    boxes = read_back(export_boxes(db, blobs.get, batch_id, kind), tmp_path)
    assert boxes.kind == kind
    assert [sorted((box.label, box.box) for box in image.boxes) for image in boxes.images] == [
        [("RBC", DRAWN), ("WBC", SMALL_BOX)],
        [("RBC", RED), ("WBC", BIG_BOX), ("WBC", SMALL_BOX)],
    ]
    assert boxes.problems == ()


def test_white_cells_may_be_called_by_their_class(db, blobs, tmp_path):
    batch_id = new_batch(db)
    add_field(db, blobs, batch_id, "a.png", 1)
    data = export_boxes(db, blobs.get, batch_id, "COCO", by_class=True)
    assert read_back(data, tmp_path).label_counts == {"MONOCYTE": 1, "NEUTROPHIL": 1, "RBC": 1}
    with zipfile.ZipFile(tmp_path / "boxes.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith(".json"))
        categories = [one["name"] for one in json.loads(archive.read(name))["categories"]]
    assert categories == ["WBC", "RBC", "PLATELET", "MONOCYTE", "NEUTROPHIL"]


def test_a_batch_without_a_field_has_nothing_to_export(db, blobs):
    with pytest.raises(DatasetError, match="image"):
        export_boxes(db, blobs.get, new_batch(db), "COCO")
