"""YOLO: a .txt file an image, a line a box (class, centre and size as shares of the image); also Roboflow's and CVAT's."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import yaml

from bloodcell.core.errors import BloodcellError
from bloodcell.datasets.boxes.box_sets import BoxedImage, RawBox, collect_boxes, list_image_files
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.read import read_image_size

_LINE: Final = re.compile(r"\s*\d+(\s+[-+0-9.eE]+){4,}\s*")
_NAME_FILES: Final = ("classes.txt", "obj.names")


def find_yolo_files(contents: Contents) -> list[str]:
    """List the .txt files that belong to an image by their stem and hold boxes or nothing, sorted."""
    stems = {PurePosixPath(file).stem for file in list_image_files(contents)}
    files = sorted(file for file in contents.files if _may_hold_boxes(file) and PurePosixPath(file).stem in stems)
    first = next((lines for file in files if (lines := _read_lines(contents, file))), None)
    if first is None:  # empty files alone may be anything, unless the names of classes lie beside them
        return files if _read_names(contents) else []
    return files if _LINE.fullmatch(first[0]) else []


def read_yolo(
    contents: Contents, files: list[str], names: Sequence[str] = ()
) -> tuple[list[BoxedImage], list[Problem]]:
    """Read the boxes of images; outlines of more than four numbers (segmentation) become the box around them.

    Parameters
    ----------
    contents : Contents
    files : list of str
        From `find_yolo_files`.
    names : sequence of str, default ()
        Names of the classes, by default those that classes.txt or data.yaml says; without any, classes are called by their
        numbers.

    Returns
    -------
    images : list of BoxedImage
        Images without a .txt are not annotated and are left out; an empty .txt says that there is nothing.
    problems : list of Problem
    """
    names = names or _read_names(contents)
    images: list[BoxedImage] = []
    problems: list[Problem] = []
    image_of = {_strip(file): file for file in list_image_files(contents)}
    for file in files:
        image = image_of.get(_strip(file))
        if image is None:
            problems.append(Problem(file, "Its image is not in this dataset."))
            continue
        try:
            height_px, width_px = read_image_size(contents.read(image))
            raw = [_read_box(line, names, height_px, width_px) for line in _read_lines(contents, file)]
            images.append(collect_boxes(image, height_px, width_px, raw, problems))
        except (BloodcellError, ValueError) as error:
            problems.append(Problem(file, f"It cannot be read: {error}"))
    return images, problems


def _may_hold_boxes(file: str) -> bool:
    return file.lower().endswith(".txt") and PurePosixPath(file).name.lower() not in _NAME_FILES


def _strip(file: str) -> str:
    """Return what the paths of an image and its .txt have in common: no suffix, and no folder images or labels."""
    path = PurePosixPath(file)
    return "/".join([*(part for part in path.parts[:-1] if part not in ("images", "labels")), path.stem])


def _read_lines(contents: Contents, file: str) -> list[str]:
    text = contents.read(file).decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]


def _read_box(line: str, names: Sequence[str], height_px: int, width_px: int) -> RawBox:
    if not _LINE.fullmatch(line):
        raise ValueError(f"a line must be a class and four numbers. Received: {line[:80]!r}.")
    number, *values = line.split()
    label = names[int(number)] if int(number) < len(names) else number
    numbers = [float(value) for value in values]
    if len(numbers) in (4, 5):  # a fifth is the confidence of a prediction
        x, y, width, height = numbers[:4]
        left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    else:
        left, top, right, bottom = min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
    return RawBox(label, left * width_px, top * height_px, right * width_px, bottom * height_px)


def _read_names(contents: Contents) -> list[str]:
    """Read the names of the classes from classes.txt, obj.names or the `names` of a data.yaml; [] where none is there."""
    for file in sorted(contents.files, key=lambda name: (name.count("/"), name)):
        name = PurePosixPath(file).name.lower()
        if name in _NAME_FILES:
            return [line.strip() for line in _read_lines(contents, file)]
        if name.endswith((".yaml", ".yml")):
            found = _read_yaml_names(contents.read(file).decode("utf-8", "replace"))
            if found:
                return found
    return []


def _read_yaml_names(text: str) -> list[str]:
    """Read `names` of a data.yaml, a list or a mapping of numbers; [] where there is none."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return []
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict) and all(isinstance(number, int) for number in names):
        return [str(names.get(number, number)) for number in range(max(names, default=-1) + 1)]
    return [str(name) for name in names] if isinstance(names, list) else []
