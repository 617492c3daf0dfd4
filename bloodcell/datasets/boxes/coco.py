"""COCO: one .json for many images, boxes as left, top, width and height in pixels."""

import json
from typing import Any, Final

from bloodcell.datasets.boxes.box_sets import BoxedImage, RawBox, collect_named_boxes
from bloodcell.datasets.sources.contents import Contents, Problem

_KEYS: Final = ("images", "annotations", "categories")


def find_coco_files(contents: Contents) -> list[str]:
    """List the .json files that have images, annotations and categories, sorted."""
    files = sorted(file for file in contents.files if file.lower().endswith(".json"))
    return [file for file in files if _has_keys(contents.read(file))]


def read_coco(contents: Contents, files: list[str]) -> tuple[list[BoxedImage], list[Problem]]:
    """Read the boxes of images.

    Parameters
    ----------
    contents : Contents
    files : list of str
        From `find_coco_files`; Roboflow writes one a part.

    Returns
    -------
    images : list of BoxedImage
    problems : list of Problem
        Files that cannot be read, images that are missing, boxes that were left out.
    """
    images: list[BoxedImage] = []
    problems: list[Problem] = []
    for file in files:
        try:
            entries, boxes = _read_entries(contents.read(file))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            problems.append(Problem(file, f"It is not COCO: {error}."))
            continue
        boxes_of = ((name, boxes.get(number, [])) for number, name in entries.items())
        images += collect_named_boxes(contents, file, boxes_of, problems)
    return images, problems


def _has_keys(data: bytes) -> bool:
    return all(f'"{key}"'.encode() in data for key in _KEYS)


def _read_entries(data: bytes) -> tuple[dict[int, str], dict[int, list[RawBox]]]:
    """Read the names of the images and their boxes by the image's id."""
    document: dict[str, Any] = json.loads(data)
    labels = {int(category["id"]): str(category["name"]) for category in document["categories"]}
    names = {int(image["id"]): str(image["file_name"]) for image in document["images"]}
    boxes: dict[int, list[RawBox]] = {}
    for annotation in document["annotations"]:
        left, top, width, height = (float(value) for value in annotation["bbox"])
        label = labels.get(int(annotation["category_id"]), str(annotation["category_id"]))
        box = RawBox(label, left, top, left + width, top + height)
        boxes.setdefault(int(annotation["image_id"]), []).append(box)
    return names, boxes
