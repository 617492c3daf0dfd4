"""YOLO: shares of the image, names of the classes in four kinds of files, and folders in three layouts."""

import pytest

from bloodcell.datasets.boxes.box_sets import LabelledBox
from bloodcell.datasets.boxes.yolo import find_yolo_files, read_yolo
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from tests.datasets.made import in_folder, in_zip, png

IMAGE = png(height_px=20, width_px=40)
LINE = b"1 0.5 0.5 0.25 0.4\n"
# Columns 40 * (0.5 -+ 0.25 / 2) = 15 and 25; rows 20 * (0.5 -+ 0.4 / 2) = 6 and 14.
BOX = Box(6, 15, 14, 25)


def read(path, names=()):
    contents = Contents(path)
    images, problems = read_yolo(contents, find_yolo_files(contents), names)
    return {image.file: image.boxes for image in images}, {problem.file: problem.reason for problem in problems}


def test_centre_and_size_are_shares_of_the_image(tmp_path):
    images, problems = read(in_folder(tmp_path, {"a.png": IMAGE, "a.txt": LINE}))
    assert (images, problems) == ({"a.png": (LabelledBox("1", BOX),)}, {})


def test_a_fifth_number_is_the_confidence_of_a_prediction(tmp_path):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": b"1 0.5 0.5 0.25 0.4 0.97"})
    assert read(path)[0] == {"a.png": (LabelledBox("1", BOX),)}


def test_an_outline_becomes_the_box_around_it(tmp_path):
    """A diamond: x from 0.375 to 0.625 and y from 0.3 to 0.7, as above."""
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": b"1 0.5 0.3 0.625 0.5 0.5 0.7 0.375 0.5"})
    assert read(path)[0] == {"a.png": (LabelledBox("1", BOX),)}


def test_an_empty_file_says_that_there_is_nothing_and_none_says_nothing(tmp_path):
    files = {"a.png": IMAGE, "a.txt": LINE, "b.png": IMAGE, "b.txt": b" \n", "c.png": IMAGE}
    images, problems = read(in_folder(tmp_path, files))
    assert ({file: len(boxes) for file, boxes in images.items()}, problems) == ({"a.png": 1, "b.png": 0}, {})


def test_lines_may_end_as_windows_ends_them_and_have_spaces(tmp_path):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": b"  1\t0.5 0.5  0.25 4e-1 \r\n\r\n0 0.5 0.5 .25 0.4\r\n"})
    assert [box.label for box in read(path)[0]["a.png"]] == ["1", "0"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"0 0.5 0.5 0 0.4", "Boxes without area or outside the image, left out: 1."),
        (b"0 1.5 0.5 0.2 0.4", "Boxes without area or outside the image, left out: 1."),
        (b"0 0.5 0.5 -0.2 0.4", "Boxes without area or outside the image, left out: 1."),
        (b"0 1.0 0.5 0.5 0.4", "Boxes that reach out of the image, cut to it: 1."),
    ],
)
def test_what_is_no_box_or_over_the_edge_is_told(tmp_path, line, reason):
    images, problems = read(in_folder(tmp_path, {"a.png": IMAGE, "a.txt": LINE + line}))
    assert images["a.png"][0] == LabelledBox("1", BOX)
    assert problems == {"a.png": reason}


@pytest.mark.parametrize("line", ["1 0.5 0.5 0.25", "WBC 0.5 0.5 0.25 0.4", "1 nan 0.5 0.25 0.4", "1,0.5,0.5,0.25,0.4"])
def test_a_line_that_is_no_box_makes_its_file_unreadable(tmp_path, line):
    files = {"a.png": IMAGE, "a.txt": LINE, "b.png": IMAGE, "b.txt": LINE + line.encode()}
    images, problems = read(in_folder(tmp_path, files))
    assert list(images) == ["a.png"]
    assert problems == {"b.txt": f"It cannot be read: a line must be a class and four numbers. Received: '{line}'."}


def test_numbers_that_are_none_make_their_file_unreadable(tmp_path):
    files = {"a.png": IMAGE, "a.txt": LINE, "b.png": IMAGE, "b.txt": b"1 0.5.5 0.5 0.25 0.4"}
    assert read(in_folder(tmp_path, files))[1] == {
        "b.txt": "It cannot be read: could not convert string to float: '0.5.5'"
    }


def test_an_image_that_cannot_be_read_is_told(tmp_path):
    files = {"a.png": IMAGE, "a.txt": LINE, "b.png": b"", "b.txt": LINE}
    assert read(in_folder(tmp_path, files))[1] == {"b.txt": "It cannot be read: The file is empty (0 bytes)."}


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("a.png", "a.txt"),  # CVAT: obj_train_data has both
        ("images/a.png", "labels/a.txt"),
        ("images/train/a.png", "labels/train/a.txt"),  # Ultralytics
        ("train/images/a.png", "train/labels/a.txt"),  # Roboflow
        ("train/a.v2.png", "train/a.v2.txt"),
    ],
)
def test_layouts_of_folders(tmp_path, image, text):
    images, problems = read(in_zip(tmp_path, {image: IMAGE, text: LINE}))
    assert (images, problems) == ({image: (LabelledBox("1", BOX),)}, {})


def test_images_of_one_name_in_different_parts(tmp_path):
    files = {"train/images/1.png": IMAGE, "valid/images/1.png": IMAGE, "train/labels/1.txt": LINE}
    files["valid/labels/1.txt"] = b""
    images, problems = read(in_folder(tmp_path, files))
    assert {file: len(boxes) for file, boxes in images.items()} == {"train/images/1.png": 1, "valid/images/1.png": 0}
    assert problems == {}


def test_a_text_in_a_folder_without_its_image_is_told(tmp_path):
    files = {"a/images/1.png": IMAGE, "a/labels/1.txt": LINE, "b/labels/1.txt": LINE}
    assert read(in_folder(tmp_path, files))[1] == {"b/labels/1.txt": "Its image is not in this dataset."}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "train: ../train/images\nnc: 3\nnames: ['RBC', \"WBC\", Platelets]\n"),
        ("data.yaml", "names: ['RBC',\n        'WBC',\n        'Platelets']  # three\nnc: 3\n"),
        ("data.yaml", "path: x\nnames:\n- RBC\n- WBC\n- 'Platelets'\nnc: 3\n"),
        ("data.yaml", "names:\n  0: RBC\n  1: WBC\n  2: Platelets\n\ndownload: none\n"),
        ("data.yaml", "names: {0: RBC, 1: WBC, 2: Platelets}\n"),
        ("data.yaml", "names:  # three\n  2: Platelets\n  0: RBC  # red\n  1: WBC\n"),
        ("bccd.yml", "names:\r\n  0: RBC\r\n  1: WBC\r\n  2: Platelets\r\n"),
        ("classes.txt", "RBC\nWBC\nPlatelets\n"),
        ("labels/classes.txt", "RBC\r\nWBC\r\nPlatelets"),
        ("obj.names", "RBC\nWBC\nPlatelets\n"),
    ],
)
def test_names_of_the_classes(tmp_path, file, text):
    lines = b"".join(b"%d 0.5 0.5 0.25 0.4\n" % number for number in (1, 2, 0, 3))
    path = in_folder(tmp_path, {"images/a.png": IMAGE, "labels/a.txt": lines, file: text.encode()})
    images, problems = read(path)
    # the class 3 has no name, so it keeps its number
    assert ([box.label for box in images["images/a.png"]], problems) == (["WBC", "Platelets", "RBC", "3"], {})


@pytest.mark.parametrize("text", [b"", b"nc: 3\n", b"names:\nnc: 3\n", b"# names: [a, b]\n", b"old_names: [a, b]\n"])
def test_a_yaml_without_names_leaves_the_numbers(tmp_path, text):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": LINE, "data.yaml": text})
    assert read(path)[0]["a.png"][0].label == "1"


def test_the_uppermost_file_with_names_counts(tmp_path):
    files = {"a.png": IMAGE, "a.txt": LINE, "b/data.yaml": b"names: [x, y]", "data.yaml": b"names: [RBC, WBC]"}
    assert read(in_folder(tmp_path, files))[0]["a.png"][0].label == "WBC"


def test_names_may_be_given_where_no_file_says_them(tmp_path):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": LINE})
    assert read(path, ["RBC", "WBC"])[0]["a.png"][0].label == "WBC"


def test_names_that_are_given_go_before_those_of_a_file(tmp_path):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": LINE, "classes.txt": b"red\nwhite"})
    assert read(path, ["RBC", "WBC"])[0]["a.png"][0].label == "WBC"


def test_empty_files_beside_names_of_classes_say_that_there_is_nothing(tmp_path):
    path = in_folder(tmp_path, {"a.png": IMAGE, "a.txt": b"", "data.yaml": b"names: [RBC, WBC]"})
    assert read(path) == ({"a.png": ()}, {})


@pytest.mark.parametrize(
    "files",
    [
        {"a.png": IMAGE},
        {"a.png": IMAGE, "a.txt": b""},  # nothing says that it is YOLO
        {"a.png": IMAGE, "a.txt": b"A white cell of patient 7."},
        {"a.png": IMAGE, "b.txt": LINE},
        {"a.txt": LINE},
    ],
)
def test_what_is_no_yolo(tmp_path, files):
    assert find_yolo_files(Contents(in_folder(tmp_path, files))) == []


def test_files_are_listed_by_name_and_other_texts_are_none(tmp_path):
    files = {"b.png": IMAGE, "a.png": IMAGE, "b.txt": LINE, "a.TXT": b"", "readme.txt": b"Cells.", "classes.txt": b"x"}
    assert find_yolo_files(Contents(in_folder(tmp_path, files))) == ["a.TXT", "b.txt"]
