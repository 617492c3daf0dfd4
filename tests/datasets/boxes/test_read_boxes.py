"""Which of the three kinds of annotations a folder or zip has."""

import json

import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.boxes.box_sets import LabelledBox
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.boxes import Box
from tests.datasets.made import in_folder, in_zip, png

IMAGE = png(height_px=20, width_px=40)
# The same box three times: rows 6 to 14, columns 15 to 25 (VOC counts from 1; 40 * (0.5 -+ 0.125), 20 * (0.5 -+ 0.2)).
BOX = Box(6, 15, 14, 25)
SIDES = "<xmin>16</xmin><ymin>7</ymin><xmax>25</xmax><ymax>14</ymax>"
VOC = f"<annotation><object><name>WBC</name><bndbox>{SIDES}</bndbox></object></annotation>".encode()
COCO = json.dumps(
    {
        "images": [{"id": 5, "file_name": "b.png"}, {"id": 4, "file_name": "a.png"}],
        "annotations": [{"image_id": 4, "category_id": 0, "bbox": [15, 6, 10, 8]}],
        "categories": [{"id": 0, "name": "WBC"}],
    }
).encode()
YOLO = b"0 0.5 0.5 0.25 0.4"
IMAGES = {"a.png": IMAGE, "b.png": IMAGE}
KINDS = {
    "Pascal VOC": {"a.xml": VOC, "b.xml": b"<annotation/>"},
    "COCO": {"all.json": COCO},
    "YOLO": {"a.txt": YOLO, "b.txt": b"", "classes.txt": b"WBC"},
}


@pytest.mark.parametrize("put", [in_folder, in_zip])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_recognised_and_gives_the_same(tmp_path, kind, put):
    boxes = read_box_set(Contents(put(tmp_path, IMAGES | KINDS[kind])))
    assert (boxes.kind, boxes.problems) == (kind, ())
    assert [(image.file, image.height_px, image.width_px) for image in boxes.images] == [
        ("a.png", 20, 40),
        ("b.png", 20, 40),
    ]
    assert [image.boxes for image in boxes.images] == [(LabelledBox("WBC", BOX),), ()]


def test_names_of_the_classes_go_to_yolo(tmp_path):
    boxes = read_box_set(Contents(in_folder(tmp_path, {"a.png": IMAGE, "a.txt": YOLO})), ["LEUKO"])
    assert boxes.label_counts == {"LEUKO": 1}


def test_problems_go_along(tmp_path):
    boxes = read_box_set(Contents(in_folder(tmp_path, {"a.png": IMAGE, "a.xml": VOC, "c.xml": b"<annotation/>"})))
    assert boxes.problems == (Problem("c.xml", "Its image is not in this dataset."),)


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ((), "none"),
        (("Pascal VOC", "YOLO"), "Pascal VOC and YOLO"),
        (("COCO", "YOLO"), "COCO and YOLO"),
        (tuple(KINDS), "Pascal VOC and COCO and YOLO"),
    ],
)
def test_none_or_several_kinds(tmp_path, kinds, found):
    files = {file: data for kind in kinds for file, data in KINDS[kind].items()}
    said = rf"one of Pascal VOC, COCO, YOLO, CSV of boxes\. Found in set: {found}\."
    with pytest.raises(DatasetError, match=said):
        read_box_set(Contents(in_folder(tmp_path, IMAGES | files)))


def test_annotations_of_other_images_name_the_first_that_is_missing(tmp_path):
    files = {"x.png": IMAGE, "a.xml": VOC, "b.xml": VOC}
    said = r"No annotation in set belongs to an image there\. a\.xml: Its image is not in this dataset\."
    with pytest.raises(DatasetError, match=said):
        read_box_set(Contents(in_folder(tmp_path, files)))


def test_coco_of_no_image(tmp_path):
    nothing = b'{"images": [], "annotations": [], "categories": []}'
    with pytest.raises(DatasetError, match=r"No annotation in set\.zip belongs to an image there\.$"):
        read_box_set(Contents(in_zip(tmp_path, {"a.png": IMAGE, "all.json": nothing})))
