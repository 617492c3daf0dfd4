"""Boxes are cut to their image, what is no box is told, and annotations find the image that they mean."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.datasets.boxes.box_sets import (
    MIN_BOX_PX,
    BoxedImage,
    BoxSet,
    ImageFinder,
    LabelledBox,
    RawBox,
    collect_boxes,
    list_image_files,
    map_labels,
)
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.boxes import Box
from tests.datasets.made import in_folder

LOST = "Boxes without area or outside the image, left out: {}."
CUT = "Boxes that reach out of the image, cut to it: {}."


def collect(*sides, height_px=40, width_px=60):
    """The boxes, (left, top, right, bottom), that remain of an image, and what is told of it."""
    problems = []
    image = collect_boxes("a.png", height_px, width_px, [RawBox("RBC", *one) for one in sides], problems)
    assert (image.file, image.height_px, image.width_px) == ("a.png", height_px, width_px)
    return [tuple(box.box) for box in image.boxes], [problem.reason for problem in problems]


def test_a_box_inside_stays_as_it_is():
    assert collect((3, 5, 20, 30)) == ([(5, 3, 30, 20)], [])


def test_no_boxes_are_an_image_without_cells():
    assert collect() == ([], [])


def test_a_box_over_the_edge_is_cut_and_told():
    assert collect((-9, -4, 20, 30), (50, 30, 70, 50)) == ([(0, 0, 30, 20), (30, 50, 40, 60)], [CUT.format(2)])


def test_a_pixel_over_the_edge_is_how_some_tools_count():
    assert collect((-1, -1, 61, 41)) == ([(0, 0, 40, 60)], [])


@pytest.mark.parametrize(
    "sides",
    [
        (-30, 5, -10, 20),  # left of it
        (5, -30, 20, -10),  # above
        (60, 5, 90, 20),  # right
        (5, 40, 20, 90),  # below
        (5, 5, 5, 20),  # no width
        (5, 5, 20, 5),  # no height
        (20, 20, 5, 5),  # turned round
        (5, 5, 6, 20),  # 1 px wide
        (58.6, 5, 80, 20),  # round(58.6) = 59: 1 px is left of it
        (math.nan, 5, 20, 20),
        (5, 5, 20, math.nan),
        (5, 5, math.inf, 20),
        (-math.inf, 5, 20, 20),
        (5, 5, 1e30, 20),
    ],
)
def test_what_is_no_box_is_left_out_and_told(sides):
    assert collect(sides, (3, 5, 20, 30)) == ([(5, 3, 30, 20)], [LOST.format(1)])


def test_the_smallest_box_has_two_pixels_on_each_side():
    assert collect((5, 6, 7, 8)) == ([(6, 5, 8, 7)], [])
    assert collect((58, 38, 90, 90)) == ([(38, 58, 40, 60)], [CUT.format(1)])


def test_lost_and_cut_boxes_are_told_apart():
    assert collect((5, 5, 5, 5), (-9, 5, 20, 20), (math.nan,) * 4)[1] == [LOST.format(2), CUT.format(1)]


@given(st.lists(st.tuples(*[st.floats(-100, 200)] * 4), max_size=8))
def test_every_box_lies_in_its_image_and_none_is_lost_in_silence(given_sides):
    boxes, told = collect(*given_sides)
    for top, left, bottom, right in boxes:
        assert 0 <= top <= bottom - MIN_BOX_PX <= 40 - MIN_BOX_PX
        assert 0 <= left <= right - MIN_BOX_PX <= 60 - MIN_BOX_PX
    n_lost = len(given_sides) - len(boxes)
    assert (LOST.format(n_lost) in told) == (n_lost > 0)


@pytest.fixture
def make_finder(tmp_path):
    return lambda *files: ImageFinder(Contents(in_folder(tmp_path, dict.fromkeys(files, b"pixels"))))


def test_images_are_what_has_the_suffix_of_one(tmp_path):
    files = dict.fromkeys(["b.PNG", "a/1.jpg", "a/1.txt", "a/1.xml", "c.tif", "d.gif", "e"], b"")
    assert list_image_files(Contents(in_folder(tmp_path, files))) == ["a/1.jpg", "b.PNG", "c.tif"]


@pytest.mark.parametrize(
    "name",
    [
        "1.jpg",
        "1",
        "JPEGImages/1.jpg",
        "set/JPEGImages/1.jpg",
        "/home/pi/JPEGImages/1.jpg",
        r"C:\Users\lab\JPEGImages\1.jpg",
        "elsewhere/1.jpg",
        "elsewhere/1.png",  # converted since
        "./1.jpg",
    ],
)
def test_an_image_is_found_by_the_end_of_its_path(make_finder, name):
    assert make_finder("set/JPEGImages/1.jpg", "set/JPEGImages/11.jpg").find(name) == "set/JPEGImages/1.jpg"


def test_images_of_the_same_name_are_told_apart_by_their_folders(make_finder):
    finder = make_finder("a/1.jpg", "b/1.jpg")
    assert finder.find("/mnt/b/1.jpg") == "b/1.jpg"
    for name in ("1.jpg", "1", "c/1.jpg"):
        assert finder.find(name) is None


def test_a_stem_that_two_images_have_names_neither(make_finder):
    finder = make_finder("1.jpg", "1.png")
    assert (finder.find("1.png"), finder.find("1"), finder.find("1.bmp")) == ("1.png", None, None)


@pytest.mark.parametrize("name", ["", "2.jpg", "/", "a", "a/", "jpg", ".jpg"])
def test_what_names_no_image(make_finder, name):
    assert make_finder("a/1.jpg").find(name) is None


def test_a_stem_may_have_points(make_finder):
    finder = make_finder("cell.v2.jpg", "cell.v3.jpg")
    assert finder.find("cell.v2") == finder.find("cell.v2.png") == "cell.v2.jpg"


def make_set(**labels_by_file):
    images = [
        BoxedImage(f"{file}.png", 40, 60, tuple(LabelledBox(label, Box(0, 0, 9, 9)) for label in labels))
        for file, labels in labels_by_file.items()
    ]
    return BoxSet("COCO", tuple(images), (Problem("a.png", "old"),))


def test_labels_are_counted_over_all_images():
    assert make_set(a=["RBC", "WBC", "RBC"], b=["RBC"], c=[]).label_counts == {"RBC": 3, "WBC": 1}
    assert make_set().label_counts == {}


def test_labels_are_mapped_and_the_others_left_out():
    mapped = map_labels(make_set(a=["red", "leuko", "dirt"], b=["dirt"], c=[]), {"red": "RBC", "leuko": "WBC"})
    assert [[box.label for box in image.boxes] for image in mapped.images] == [["RBC", "WBC"], [], []]
    assert (mapped.kind, mapped.problems) == ("COCO", (Problem("a.png", "old"),))
    assert map_labels(make_set(a=["red"]), {}).label_counts == {}
