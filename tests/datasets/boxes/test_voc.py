"""Pascal VOC: whole pixels counted from 1, and names of images that come from another machine."""

import pytest

from bloodcell.datasets.boxes.box_sets import LabelledBox
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.boxes.voc import MAX_XML_BYTES, find_voc_files, read_voc
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from tests.datasets.made import in_folder, in_zip, png
from tests.places import SHARED_DATA

CASE = SHARED_DATA.parent / "cases" / "18-box-annotations" / "voc"


def write_object(label, *sides):
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{name}>{side}</{name}>" for name, side in zip(names, sides, strict=True))
    return f"<object><name>{label}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>"


def voc(name, *objects):
    """An annotation as labelImg writes it; its size of the image is wrong, as it is not asked."""
    size = "<size><width>0</width><height>0</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{''.join(objects)}</annotation>".encode()


CELL = write_object("WBC", 3, 5, 20, 18)


def read(tmp_path, files):
    contents = Contents(in_folder(tmp_path, files))
    images, problems = read_voc(contents, find_voc_files(contents))
    return {image.file: image.boxes for image in images}, {problem.file: problem.reason for problem in problems}


def test_pixels_are_counted_from_1_and_the_last_is_in_the_box(tmp_path):
    """Columns 3 to 20 and rows 5 to 18, both counted from 1: from 2 to 20 and from 4 to 18 with the end excluded."""
    images, problems = read(tmp_path, {"a.png": png(height_px=20, width_px=30), "a.xml": voc("a.png", CELL)})
    assert images == {"a.png": (LabelledBox("WBC", Box(4, 2, 18, 20)),)}
    assert problems == {}


def test_a_whole_image_is_a_box_of_its_size(tmp_path):
    files = {"a.png": png(height_px=20, width_px=30), "a.xml": voc("a.png", write_object("RBC", 1, 1, 30, 20))}
    assert read(tmp_path, files) == ({"a.png": (LabelledBox("RBC", Box(0, 0, 20, 30)),)}, {})


def test_boxes_counted_from_0_touch_the_edge_without_a_problem(tmp_path):
    files = {"a.png": png(), "a.xml": voc("a.png", write_object("RBC", 0, 0, 10, 10))}
    assert read(tmp_path, files) == ({"a.png": (LabelledBox("RBC", Box(0, 0, 10, 10)),)}, {})


def test_no_object_is_an_image_without_cells(tmp_path):
    assert read(tmp_path, {"a.png": png(), "a.xml": voc("a.png")}) == ({"a.png": ()}, {})


def test_several_objects_keep_their_order_and_labels_their_spelling(tmp_path):
    labels = [" Platelets\n", "WBC", "红细胞", ""]
    objects = [write_object(label, 3, 5, 20, 18) for label in labels]
    images, _ = read(tmp_path, {"a.png": png(), "a.xml": voc("a.png", *objects)})
    assert [box.label for box in images["a.png"]] == ["Platelets", "WBC", "红细胞", ""]


def test_fractions_of_pixels_are_rounded(tmp_path):
    files = {"a.png": png(), "a.xml": voc("a.png", write_object("RBC", 3.4, 5.2, 20.3, 17.8))}
    assert read(tmp_path, files)[0]["a.png"][0].box == Box(4, 2, 18, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        write_object("RBC", 5, 5, 4, 18),  # columns 5 to 4: none
        write_object("RBC", 5, 5, 5, 18),  # one column
        write_object("RBC", "nan", 5, 20, 18),
        write_object("RBC", 31, 5, 50, 18),
        "<object><name>RBC</name></object>",
        "<object><name>RBC</name><bndbox><xmin>3</xmin></bndbox></object>",
    ],
)
def test_what_is_no_box_is_told_and_the_others_stay(tmp_path, wrong):
    images, problems = read(tmp_path, {"a.png": png(), "a.xml": voc("a.png", wrong, CELL)})
    assert [box.label for box in images["a.png"]] == ["WBC"]
    assert problems == {"a.png": "Boxes without area or outside the image, left out: 1."}


@pytest.mark.parametrize(
    "name", ["/home/pi/JPEGImages/a.png", r"C:\lab\a.png", "a", "a.jpg", "renamed.png", "", "old/a.png"]
)
def test_the_name_of_the_image_may_be_of_another_machine_or_wrong(tmp_path, name):
    files = {"JPEGImages/a.png": png(), "JPEGImages/b.png": png(1), "Annotations/a.xml": voc(name, CELL)}
    images, problems = read(tmp_path, files)
    assert (list(images), problems) == (["JPEGImages/a.png"], {})


def test_a_name_goes_before_that_of_the_annotation(tmp_path):
    images, _ = read(tmp_path, {"a.png": png(), "b.png": png(1), "a.xml": voc("b.png", CELL)})
    assert list(images) == ["b.png"]


def test_images_of_one_name_in_different_folders(tmp_path):
    """Each annotation is of the image beside it; where none is beside it, it could be of either."""
    files = {"a/1.png": png(), "b/1.png": png(1), "a/1.xml": voc("1.png", CELL), "b/1.xml": voc("1.png")}
    images, problems = read(tmp_path, files)
    assert ({file: len(boxes) for file, boxes in images.items()}, problems) == ({"a/1.png": 1, "b/1.png": 0}, {})
    files = {"a/1.png": png(), "b/1.png": png(1), "xml/1.xml": voc("1.png", CELL)}
    (tmp_path / "other").mkdir()
    assert read(tmp_path / "other", files) == ({}, {"xml/1.xml": "Its image is not in this dataset."})


def test_the_folders_in_a_name_tell_such_images_apart(tmp_path):
    files = {"a/1.png": png(), "b/1.png": png(1), "xml/1.xml": voc("/mnt/b/1.png", CELL)}
    assert list(read(tmp_path, files)[0]) == ["b/1.png"]


def test_an_annotation_without_its_image_is_told(tmp_path):
    files = {"a.png": png(), "a.xml": voc("a.png", CELL), "gone.xml": voc("gone.png", CELL)}
    images, problems = read(tmp_path, files)
    assert (list(images), problems) == (["a.png"], {"gone.xml": "Its image is not in this dataset."})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<annotation><object>", r"It cannot be read: it is not valid XML (no element found: line 1, column 20)."),
        (b"", "It cannot be read: it is not valid XML (no element found: line 1, column 0)."),
        (
            b'<?xml version="1.0" encoding="martian"?><annotation/>',
            "It cannot be read: it is not valid XML (unknown encoding: martian).",
        ),
        (
            voc("b.png", write_object("RBC", "three", 5, 20, 18)),
            "It cannot be read: could not convert string to float: 'three'",
        ),
        (b" " * (MAX_XML_BYTES + 1), "It cannot be read: it is larger than 5 MB."),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_the_others_stay(tmp_path, data, reason):
    files = {"a.png": png(), "b.png": png(1), "a.xml": voc("a.png", CELL), "b.xml": data}
    images, problems = read(tmp_path, files)
    assert (list(images), problems) == (["a.png"], {"b.xml": reason})


def test_entities_that_grow_without_end_are_refused(tmp_path):
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE annotation [<!ENTITY e0 "0123456789">{lines}]><annotation><filename>&e9;</filename></annotation>'
    files = {"a.png": png(), "b.png": png(1), "a.xml": voc("a.png", CELL), "b.xml": bomb.encode()}
    images, problems = read(tmp_path, files)
    assert list(images) == ["a.png"]
    assert "not valid XML (limit on input amplification factor" in problems["b.xml"]


def test_an_image_that_cannot_be_read_is_told(tmp_path):
    files = {"a.png": png(), "a.xml": voc("a.png", CELL), "b.png": b"no image", "b.xml": voc("b.png", CELL)}
    images, problems = read(tmp_path, files)
    assert list(images) == ["a.png"]
    assert problems == {
        "b.xml": "It cannot be read: The file is not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF."
    }


def test_other_xml_is_no_voc(tmp_path):
    assert find_voc_files(Contents(in_folder(tmp_path, {"a.png": png(), "a.xml": b"<playlist/>"}))) == []
    assert find_voc_files(Contents(in_zip(tmp_path, {"a.png": png()}))) == []


def test_files_are_listed_by_name_whatever_the_case_of_their_suffix(tmp_path):
    files = {"b.xml": voc("b.png"), "a.XML": voc("a.png"), "c.txt": b""}
    assert find_voc_files(Contents(in_zip(tmp_path, files))) == ["a.XML", "b.xml"]


@pytest.mark.data
def test_four_annotated_fields_of_bccd():
    """Their <path> is of a Raspberry Pi; counted with `grep -c '<name>RBC'` and so on over the four files."""
    if not CASE.is_dir():
        pytest.skip(f"the shared cases are absent: no {CASE}")
    boxes = read_box_set(Contents(CASE))
    assert (boxes.kind, boxes.problems) == ("Pascal VOC", ())
    assert [(image.file[-9:], len(image.boxes)) for image in boxes.images] == [
        ("00000.jpg", 20),
        ("00001.jpg", 19),
        ("00002.jpg", 16),
        ("00003.jpg", 17),
    ]
    assert boxes.label_counts == {"RBC": 67, "WBC": 4, "Platelets": 1}
    # xmin 260, ymin 177, xmax 491, ymax 376
    assert boxes.images[0].boxes[0] == LabelledBox("WBC", Box(176, 259, 376, 491))
