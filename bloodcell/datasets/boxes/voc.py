"""Pascal VOC: an .xml file an image, boxes in whole pixels counted from 1, the last one included."""

from pathlib import PurePosixPath
from typing import Final
from xml.etree import ElementTree

from bloodcell.core.errors import BloodcellError
from bloodcell.datasets.boxes.box_sets import BoxedImage, ImageFinder, RawBox, collect_boxes
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.read import read_image_size

MAX_XML_BYTES: Final = 5_000_000
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


def find_voc_files(contents: Contents) -> list[str]:
    """List the .xml files whose outermost element is "annotation", sorted; only the first one is looked into."""
    files = sorted(file for file in contents.files if file.lower().endswith(".xml"))
    return files if files and b"<annotation" in contents.read(files[0])[:2000] else []


def read_voc(contents: Contents, files: list[str]) -> tuple[list[BoxedImage], list[Problem]]:
    """Read the annotations of images.

    Parameters
    ----------
    contents : Contents
    files : list of str
        From `find_voc_files`.

    Returns
    -------
    images : list of BoxedImage
    problems : list of Problem
        Files that cannot be read, whose image is missing, or with boxes that were left out.
    """
    finder = ImageFinder(contents)
    images: list[BoxedImage] = []
    problems: list[Problem] = []
    for file in files:
        try:
            root = _parse(contents.read(file))
            name = root.findtext("filename") or PurePosixPath(file).name
            # Images of one name in several folders are told apart by the folder of the annotation.
            image = finder.find(f"{PurePosixPath(file).parent}/{name}") or finder.find(PurePosixPath(file).stem)
            if image is None:
                problems.append(Problem(file, "Its image is not in this dataset."))
                continue
            height_px, width_px = read_image_size(contents.read(image))
            images.append(collect_boxes(image, height_px, width_px, _read_objects(root), problems))
        except (BloodcellError, ValueError) as error:
            problems.append(Problem(file, f"It cannot be read: {error}"))
    return images, problems


def _parse(data: bytes) -> ElementTree.Element:
    if len(data) > MAX_XML_BYTES:
        raise ValueError(f"it is larger than {MAX_XML_BYTES // 1_000_000} MB.")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError) as error:  # LookupError of an unknown encoding
        raise ValueError(f"it is not valid XML ({error}).") from error


def _read_objects(root: ElementTree.Element) -> list[RawBox]:
    boxes = []
    for item in root.iter("object"):
        left, top, right, bottom = (float(item.findtext(f"bndbox/{side}") or "nan") for side in _SIDES)
        boxes.append(RawBox((item.findtext("name") or "").strip(), left - 1, top - 1, right, bottom))
    return boxes
