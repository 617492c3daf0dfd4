"""COCO: boxes as left, top, width and height, by numbers of images and categories."""

import json

import pytest

from bloodcell.datasets.boxes.box_sets import LabelledBox
from bloodcell.datasets.boxes.coco import find_coco_files, read_coco
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from tests.datasets.made import in_folder, png

CATEGORIES = ({"id": 1, "name": "RBC"}, {"id": 7, "name": "WBC"})


def coco(names, *annotations, categories=CATEGORIES):
    """`names` of the images 1, 2, ... and annotations (image, category, left, top, width, height)."""
    images = [{"id": number, "file_name": name, "width": 0, "height": 0} for number, name in enumerate(names, start=1)]
    boxes = [
        {"id": number, "image_id": image, "category_id": category, "bbox": sides, "iscrowd": 0}
        for number, (image, category, *sides) in enumerate(annotations)
    ]
    return json.dumps({"images": images, "annotations": boxes, "categories": list(categories)}).encode()


def read(tmp_path, files):
    contents = Contents(in_folder(tmp_path, files))
    images, problems = read_coco(contents, find_coco_files(contents))
    return [(image.file, image.boxes) for image in images], {problem.file: problem.reason for problem in problems}


def test_left_top_width_and_height(tmp_path):
    """Left 2 and width 18: columns 2 to 20; top 4 and height 14: rows 4 to 18."""
    files = {"a.png": png(height_px=20, width_px=30), "a.json": coco(["a.png"], (1, 7, 2, 4, 18, 14))}
    assert read(tmp_path, files) == ([("a.png", (LabelledBox("WBC", Box(4, 2, 18, 20)),))], {})


def test_boxes_go_to_their_images(tmp_path):
    boxes = ((2, 1, 0, 0, 9, 9), (1, 7, 2, 4, 18, 14), (2, 7, 3, 3, 9, 9), (9, 7, 3, 3, 9, 9))
    files = {"a.png": png(), "b.png": png(1), "c.png": png(2), "all.json": coco(["a.png", "b.png", "c.png"], *boxes)}
    images, problems = read(tmp_path, files)
    labels = {file: [box.label for box in boxes] for file, boxes in images}
    assert (labels, problems) == ({"a.png": ["WBC"], "b.png": ["RBC", "WBC"], "c.png": []}, {})


def test_a_category_without_a_name_is_called_by_its_number(tmp_path):
    files = {"a.png": png(), "a.json": coco(["a.png"], (1, 3, 2, 4, 18, 14), categories=())}
    assert read(tmp_path, files)[0][0][1][0].label == "3"


def test_boxes_over_the_edge_and_what_is_none(tmp_path):
    wrong = ((1, 1, 2, 4, 0, 9), (1, 1, 2, 4, -5, 9), (1, 1, 90, 4, 9, 9), (1, 1, float("nan"), 4, 9, 9))
    files = {"a.png": png(height_px=20, width_px=30), "a.json": coco(["a.png"], *wrong, (1, 7, 25, 15, 20, 20))}
    images, problems = read(tmp_path, files)
    assert images == [("a.png", (LabelledBox("WBC", Box(15, 25, 20, 30)),))]
    assert problems == {"a.png": "Boxes that reach out of the image, cut to it: 1."}


def test_lost_boxes_are_told(tmp_path):
    files = {"a.png": png(), "a.json": coco(["a.png"], (1, 1, 2, 4, 0, 9), (1, 1, 2, 4, float("inf"), 9))}
    assert read(tmp_path, files)[1] == {"a.png": "Boxes without area or outside the image, left out: 2."}


def test_images_that_are_missing_or_cannot_be_read_are_told(tmp_path):
    data = coco(["gone.png", "a.png", "broken.png"], (1, 1, 2, 4, 9, 9), (2, 1, 2, 4, 9, 9))
    images, problems = read(tmp_path, {"a.png": png(), "broken.png": b"no image", "a.json": data})
    assert [file for file, _ in images] == ["a.png"]
    assert problems == {
        "gone.png": "The image that a.json names is not in this dataset.",
        "broken.png": "The file is not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF.",
    }


def test_roboflow_writes_one_a_part_and_may_repeat_names(tmp_path):
    files = {"train/1.png": png(), "valid/1.png": png(1)}
    files["train/_annotations.coco.json"] = coco(["1.png"], (1, 1, 2, 4, 9, 9))
    files["valid/_annotations.coco.json"] = coco(["1.png"])
    images, problems = read(tmp_path, files)
    assert ({file: len(boxes) for file, boxes in images}, problems) == ({"train/1.png": 1, "valid/1.png": 0}, {})


def test_annotations_may_lie_in_a_folder_of_their_own(tmp_path):
    files = {"images/a.png": png(), "images/b.png": png(1)}
    files["annotations/all.json"] = coco(["a.png", r"D:\slides\images\b.png"])
    assert [file for file, _ in read(tmp_path, files)[0]] == ["images/a.png", "images/b.png"]


def test_a_name_that_two_images_have_names_neither(tmp_path):
    files = {"a/1.png": png(), "b/1.png": png(1), "all.json": coco(["1.png"])}
    assert read(tmp_path, files) == ([], {"1.png": "The image that all.json names is not in this dataset."})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"images": [], "annotations": [], "categories": [', "Expecting value"),
        ('["images", "annotations", "categories"]', "list indices must be integers"),
        ('{"images": [], "annotations": [{}], "categories": []}', "'bbox'"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "'file_name'"),
        ('{"images": 3, "annotations": [], "categories": []}', "'int' object is not iterable"),
        ('{"images": [], "annotations": [{"bbox": [1, 2, 3]}], "categories": []}', "not enough values to unpack"),
        ('{"images": [], "annotations": [{"bbox": ["x", 2, 3, 4]}], "categories": []}', "could not convert string"),
        ('{"images": [{"id": "one", "file_name": "a"}], "annotations": [], "categories": []}', "invalid literal"),
        ('{"images": [{"id": Infinity, "file_name": "a"}], "annotations": [], "categories": []}', "infinity"),
        ('{"images": ' + 100_000 * "[" + '"annotations" "categories"', "recursion"),
    ],
)
def test_a_file_that_is_not_coco_is_told_and_the_others_stay(tmp_path, data, reason):
    files = {"a.png": png(), "a.json": coco(["a.png"]), "b.json": data.encode()}
    images, problems = read(tmp_path, files)
    assert [file for file, _ in images] == ["a.png"]
    assert list(problems) == ["b.json"]
    assert problems["b.json"].startswith("It is not COCO: ")
    assert reason in problems["b.json"]


def test_other_json_is_no_coco(tmp_path):
    files = {"a.json": b'{"images": [], "annotations": []}', "b.json": b"", "c.JSON": coco([]), "d.txt": coco([])}
    assert find_coco_files(Contents(in_folder(tmp_path, files))) == ["c.JSON"]
