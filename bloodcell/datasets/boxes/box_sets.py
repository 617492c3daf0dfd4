"""Images with labelled boxes, and the checks that all annotations of boxes go through."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

from bloodcell.core.errors import BloodcellError
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, get_suffix
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import read_image_size

MIN_BOX_PX: Final = 2  # on each side, after cutting it to the image


@dataclass(frozen=True)
class RawBox:
    """A box as a file of annotations has it, in pixels from the upper left corner; not checked."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class LabelledBox:
    """One box of an image.

    Attributes
    ----------
    label : str
        As the annotations say it, or what a mapping made of it.
    box : Box
        Inside the image.
    """

    label: str
    box: Box


@dataclass(frozen=True)
class BoxedImage:
    """An image and its boxes.

    Attributes
    ----------
    file : str
        Its path in the contents.
    height_px, width_px : int
    boxes : tuple of LabelledBox
        Empty where it was annotated and shows nothing.
    """

    file: str
    height_px: int
    width_px: int
    boxes: tuple[LabelledBox, ...]


@dataclass(frozen=True)
class BoxSet:
    """All annotated images of a folder or zip.

    Attributes
    ----------
    kind : str
        "Pascal VOC", "COCO" or "YOLO".
    images : tuple of BoxedImage
        By file.
    problems : tuple of Problem
        Annotations that were left out or changed, and why.
    """

    kind: str
    images: tuple[BoxedImage, ...]
    problems: tuple[Problem, ...]

    @cached_property
    def label_counts(self) -> Counter[str]:
        """How often each label occurs."""
        return Counter(box.label for image in self.images for box in image.boxes)


def collect_boxes(
    file: str, height_px: int, width_px: int, raw: Iterable[RawBox], problems: list[Problem]
) -> BoxedImage:
    """Cut the boxes of an image to it; those without area, and those outside, are left out and told.

    Parameters
    ----------
    file : str
    height_px, width_px : int
    raw : iterable of RawBox
    problems : list of Problem
        What was left out or changed is added.
    """
    boxes = []
    n_cut = n_lost = 0
    for one in raw:
        sides = (one.top, one.left, one.bottom, one.right)
        if not all(abs(side) < 1e9 for side in sides):  # NaN too
            n_lost += 1
            continue
        top, left = max(0, round(one.top)), max(0, round(one.left))
        bottom, right = min(height_px, round(one.bottom)), min(width_px, round(one.right))
        if bottom - top < MIN_BOX_PX or right - left < MIN_BOX_PX:
            n_lost += 1
            continue
        n_cut += (one.top < -1) or (one.left < -1) or (one.bottom > height_px + 1) or (one.right > width_px + 1)
        boxes.append(LabelledBox(one.label, Box(top, left, bottom, right)))
    if n_lost:
        problems.append(Problem(file, f"Boxes without area or outside the image, left out: {n_lost}."))
    if n_cut:
        problems.append(Problem(file, f"Boxes that reach out of the image, cut to it: {n_cut}."))
    return BoxedImage(file, height_px, width_px, tuple(boxes))


def list_image_files(contents: Contents) -> list[str]:
    """List the files that are images by their suffix, sorted."""
    return sorted(file for file in contents.files if get_suffix(file) in IMAGE_SUFFIXES)


class ImageFinder:
    """Finds the image that annotations name, by the longest end of its path that fits one image alone."""

    def __init__(self, contents: Contents) -> None:
        self._by_end: dict[str, list[str]] = {}
        for file in list_image_files(contents):
            parts = PurePosixPath(file).parts
            for start in range(len(parts)):
                self._by_end.setdefault("/".join(parts[start:]), []).append(file)
            self._by_end.setdefault(PurePosixPath(file).stem, []).append(file)

    def find(self, name: str) -> str | None:
        """Return the image with this path, name or stem; None if there is none, or several."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for start in range(len(parts)):
            found = self._by_end.get("/".join(parts[start:]), [])
            if found:
                return found[0] if len(found) == 1 else None
        found = self._by_end.get(PurePosixPath(parts[-1]).stem, []) if parts else []
        return found[0] if len(found) == 1 else None


def collect_named_boxes(
    contents: Contents, file: str, boxes_of: Iterable[tuple[str, Sequence[RawBox]]], problems: list[Problem]
) -> list[BoxedImage]:
    """Collect the boxes of images that one file of annotations names, beside it or by another end of their path.

    Parameters
    ----------
    contents : Contents
    file : str
        The file of annotations.
    boxes_of : iterable of (str, sequence of RawBox)
        Name of each image and its boxes.
    problems : list of Problem
        Images that are missing or cannot be read, and what `collect_boxes` tells, are added.
    """
    finder = ImageFinder(contents)
    folder = file.rpartition("/")[0]
    images = []
    for name, raw in boxes_of:
        image = finder.find(f"{folder}/{name}" if folder else name)
        if image is None:
            problems.append(Problem(name, f"The image that {file} names is not in this dataset."))
            continue
        try:
            height_px, width_px = read_image_size(contents.read(image))
        except BloodcellError as error:
            problems.append(Problem(image, str(error)))
            continue
        images.append(collect_boxes(image, height_px, width_px, raw, problems))
    return images


def map_labels(boxes: BoxSet, mapping: Mapping[str, str]) -> BoxSet:
    """Rename labels; those that the mapping lacks are left out with their boxes."""
    images = [
        BoxedImage(
            image.file,
            image.height_px,
            image.width_px,
            tuple(LabelledBox(mapping[box.label], box.box) for box in image.boxes if box.label in mapping),
        )
        for image in boxes.images
    ]
    return BoxSet(boxes.kind, tuple(images), boxes.problems)
