"""Which file is the mask of which image, and what it marks."""

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.masks.annotated_masks import find_annotated_masks
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import encode_jpeg, encode_png

SHAPE = (16, 20)


def image(level=200):
    return np.full((*SHAPE, 3), level, np.uint8)


def mask(*levels):
    """A mask whose first rows have these levels, a row each."""
    rows = np.zeros((*SHAPE, 3), np.uint8)
    for row, level in enumerate(levels):
        rows[row] = level
    return rows


@pytest.fixture
def put(tmp_path):
    def write(name, rgb, root=tmp_path / "set"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(rgb) if path.suffix == ".jpg" else encode_png(rgb))
        return root

    return write


def found(root, where, *files, values=()):
    images = Contents(root)
    records, masks = find_annotated_masks(images, [Record(file, "A") for file in files], where, values)
    return [record.file for record in records if record.file in masks.mask_by_image], masks


@pytest.mark.parametrize(
    ("where", "file"),
    [
        ("", "A/1.png"),
        ("", "masks/A/1.png"),
        ("drawn", "drawn/A/1.png"),
        ("drawn/", "drawn/1.png"),
        ("{folder}/{stem}_mask.png", "A/1_mask.png"),
        ("labels/{stem}.bmp", "labels/1.bmp"),
        ("deep/labels/{folder}-{stem}.png", "deep/labels/A-1.png"),
    ],
)
def test_a_mask_is_found(put, where, file):
    put("A/1.jpg", image())
    root = put(file, mask(255, 255))
    files, masks = found(root, where, "A/1.jpg")
    assert (files, masks.mask_by_image) == (["A/1.jpg"], {"A/1.jpg": file})
    assert masks.read("A/1.jpg", SHAPE).sum(axis=1).tolist() == [20, 20] + 14 * [0]


@pytest.mark.parametrize("where", ["{}", "{}/{{stem}}.png", "{}/{{folder}}/{{stem}}.png"])
def test_masks_may_lie_elsewhere(put, tmp_path, where):
    root = put("A/1.jpg", image())
    inside = "A/1.png" if "{{folder}}" in where else "1.png"
    other = put(inside, mask(255), tmp_path / "other")
    files, masks = found(root, where.format(other), "A/1.jpg")
    assert files == ["A/1.jpg"]
    assert masks.read("A/1.jpg", SHAPE).any()


def test_a_mask_elsewhere_may_have_the_very_name_of_its_image(put, tmp_path):
    root = put("A/1.png", image())
    other = put("A/1.png", mask(255), tmp_path / "other")
    assert found(root, str(other), "A/1.png")[1].read("A/1.png", SHAPE).any()
    with pytest.raises(DatasetError, match="At least one image must have a mask in A"):
        found(root, "A", "A/1.png")


def test_images_without_a_mask_are_left_out(put):
    put("A/1.jpg", image())
    put("A/2.jpg", image())
    root = put("masks/A/2.png", mask(255))
    assert found(root, "masks", "A/1.jpg", "A/2.jpg")[0] == ["A/2.jpg"]


@pytest.mark.parametrize("values", [(), (128, 255), (128,), (255,)])
def test_the_values_say_what_is_the_cell(put, values):
    """Of the levels 255, 128 and 64, a row each, those named are the cell; without names all above 0."""
    put("A/1.jpg", image())
    root = put("m/1.png", mask(255, 128, 64))
    _, masks = found(root, "m", "A/1.jpg", values=values)
    marked = masks.read("A/1.jpg", SHAPE)[:3, 0].tolist()
    assert marked == [not values or level in values for level in (255, 128, 64)]


def test_what_gives_no_pairs(put):
    root = put("A/1.jpg", image())
    with pytest.raises(
        DatasetError,
        match="At least one image must have a mask beside it, by the same name, or in a folder named masks",
    ):
        found(root, "", "A/1.jpg")
    with pytest.raises(DatasetError, match="At least one image must have a mask in m"):
        found(root, "m", "A/1.jpg")
    with pytest.raises(DatasetError, match="There is no dataset at /nowhere"):
        found(root, "/nowhere", "A/1.jpg")
    put("m/1.png", mask(255))
    put("m/1.bmp", mask(255))
    with pytest.raises(DatasetError, match=r"A/1\.jpg could have several masks: m/1\.bmp, m/1\.png"):
        found(root, "m", "A/1.jpg")


def test_one_mask_is_not_that_of_two_images(put):
    put("A/1.jpg", image())
    put("B/1.jpg", image())
    root = put("m/1.png", mask(255))
    with pytest.raises(DatasetError, match=r"m/1\.png would be the mask of both A/1\.jpg and B/1\.jpg"):
        found(root, "m", "A/1.jpg", "B/1.jpg")


def test_what_is_no_mask(put):
    put("A/1.jpg", image())
    many = np.tile(np.arange(20, dtype=np.uint8), (16, 1))
    for name, rgb in (("many", np.dstack([many] * 3)), ("colour", image() // (1, 2, 3)), ("fine", mask(255))):
        root = put(f"{name}/1.png", rgb.astype(np.uint8))
    with pytest.raises(ImageError, match=r"at most 16 grey values\. Received: many/1\.png with 20"):
        found(root, "many", "A/1.jpg")[1].read("A/1.jpg", SHAPE)
    with pytest.raises(ImageError, match=r"must be grey\. Received: colour/1\.png in colour"):
        found(root, "colour", "A/1.jpg")[1].read("A/1.jpg", SHAPE)
    with pytest.raises(ImageError, match=r"size of its image, \(9, 9\)\. Received: \(16, 20\)"):
        found(root, "fine", "A/1.jpg")[1].read("A/1.jpg", (9, 9))
