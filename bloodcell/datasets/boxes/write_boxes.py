"""Write images and their boxes as a zip in Pascal VOC, COCO or YOLO, as annotation tools and trainers read them."""

import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final
from xml.etree import ElementTree

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.datasets.boxes.box_sets import BoxedImage, RawBox, collect_boxes
from bloodcell.datasets.sources.contents import Problem
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, MAX_NAME_CHARS, get_suffix, make_display_name
from bloodcell.imaging.read import read_image_header

FORMATS: Final = ("Pascal VOC", "COCO", "YOLO")

MAX_STEM_CHARS: Final = 80
_SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif"}
# Devices of Windows, and what an annotation that is named after its image would be mistaken for.
_DEVICES: Final = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)))
_RESERVED_STEMS: Final = frozenset((*_DEVICES, "classes", "images", "labels"))
_NO_XML_LETTERS: Final = "\ufffe\uffff"
_MAX_SHOWN: Final = 5
# The same images and boxes give the same zip.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644


@dataclass(frozen=True)
class _Entry:
    """An image of the zip: its name there, without folder, and its boxes."""

    name: str
    image: BoxedImage

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class _Layout:
    """Where a format has its images, and the files beside them: those of one image, and those of all."""

    image_folder: str
    describe_image: Callable[[_Entry, Sequence[str]], dict[str, bytes]]
    describe_all: Callable[[Sequence[_Entry], Sequence[str]], dict[str, bytes]]


def write_box_archive(
    kind: str,
    images: Sequence[BoxedImage],
    read_image: Callable[[str], bytes],
    class_names: Sequence[str],
    stream: BinaryIO,
) -> list[Problem]:
    """Write a zip with images and the annotations of their boxes; `read_box_set` reads the same boxes from it.

    Images keep their bytes. Their names become plain: ASCII letters, digits, `_` and `-`, the suffix of their content, and
    no two alike without suffix and case. Where images of several folders have one name, the folders become part of it.

    - Pascal VOC: JPEGImages/, Annotations/, and ImageSets/Main/default.txt, without which CVAT finds nothing. Pixels are
      counted from 1, the last one included.
    - COCO: images/ and annotations/instances_default.json, for Label Studio and CVAT.
    - YOLO: images/train/, labels/train/, data.yaml and classes.txt, for training. In data.yaml `val` names the images of
      `train`, as trainers want both: CVAT would read every box twice, and Label Studio looks for no images in images/train.

    Boxes count in the image as `read_rgb` returns it, that is with its EXIF rotation applied.

    Parameters
    ----------
    kind : str
        One of `FORMATS`.
    images : sequence of BoxedImage
        In the order of the zip; an image without boxes is written as one that shows nothing.
    read_image : callable
        From `BoxedImage.file` to the bytes of the image; called once an image, in order, one in memory at a time. What it
        raises as BloodcellError or OSError is a problem of that image.
    class_names : sequence of str
        In the order of their numbers.
    stream : file object
        Open for writing bytes; need not be seekable. Incomplete if an error is raised.

    Returns
    -------
    list of Problem
        By `BoxedImage.file`: images that were left out, as they cannot be read or have another size than their boxes are
        for; boxes that were cut to their image or left out, as `collect_boxes` does on reading.

    Raises
    ------
    DatasetError
        If the format is unknown, there are no images, none of them can be read, a class name is empty, doubled or not one
        line of text, or a box has a class that is not in `class_names`.
    """
    if kind not in _LAYOUTS:
        raise DatasetError(f"Boxes can be written as {', '.join(FORMATS)}. Received: {kind!r}.")
    if not images:
        raise DatasetError("At least one image is needed to write boxes. Received: none.")
    _check_class_names(class_names)
    _check_labels(images, class_names)
    layout = _LAYOUTS[kind]
    problems: list[Problem] = []
    entries: list[_Entry] = []
    with zipfile.ZipFile(stream, "w") as archive:
        for image, stem in zip(images, _make_stems([image.file for image in images]), strict=True):
            try:
                data = read_image(image.file)
                suffix = _find_suffix(image, data)
            except BloodcellError as error:
                problems.append(Problem(image.file, f"The image was left out. {error}"))
                continue
            except OSError as error:
                reason = f"The file cannot be read: {error.strerror or error}."
                problems.append(Problem(image.file, f"The image was left out. {reason}"))
                continue
            entry = _Entry(f"{stem}{suffix}", _cut_boxes(image, problems))
            # Stored, not packed: a blank BMP would get so small that readers, ours too, take it for a zip bomb.
            _add_file(archive, f"{layout.image_folder}/{entry.name}", data, zipfile.ZIP_STORED)
            for name, text in layout.describe_image(entry, class_names).items():
                _add_file(archive, name, text, zipfile.ZIP_DEFLATED)
            entries.append(entry)
        if not entries:
            raise DatasetError(f"None of the images can be written. {problems[0].file}: {problems[0].reason}")
        for name, text in layout.describe_all(entries, class_names).items():
            _add_file(archive, name, text, zipfile.ZIP_DEFLATED)
    return problems


def _check_class_names(class_names: Sequence[str]) -> None:
    if not class_names:
        raise DatasetError("At least one class name is needed to write boxes. Received: none.")
    for name in class_names:
        # Other letters cannot be in XML, YAML or a line of classes.txt, and blanks around a name are lost there.
        if name != name.strip() or name != make_display_name(name) or any(letter in name for letter in _NO_XML_LETTERS):
            raise DatasetError(
                f"A class name must be one line of text of at most {MAX_NAME_CHARS} characters, without blanks around it and "
                f"without control characters. Received: {name[:MAX_NAME_CHARS]!r}."
            )
    doubled = [name for name, count in Counter(class_names).items() if count > 1]
    if doubled:
        raise DatasetError(f"Every class name must be given once. Received more than once: {_join_names(doubled)}.")


def _check_labels(images: Iterable[BoxedImage], class_names: Sequence[str]) -> None:
    unknown = {box.label for image in images for box in image.boxes} - set(class_names)
    if unknown:
        allowed, received = _join_names(class_names), _join_names(sorted(unknown))
        raise DatasetError(f"The class of every box must be one of: {allowed}. Received: {received}.")


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_MAX_SHOWN])) + (", ..." if len(names) > _MAX_SHOWN else "")


def _find_suffix(image: BoxedImage, data: bytes) -> str:
    """Return the suffix of the content; ImageError if it is no image, DatasetError if it is not the one of the boxes."""
    image_format, height_px, width_px = read_image_header(data)
    if (height_px, width_px) != (image.height_px, image.width_px):
        raise DatasetError(
            f"Its boxes are for {image.width_px} x {image.height_px} pixels. Received: {width_px} x {height_px}."
        )
    return _SUFFIXES[image_format]


def _cut_boxes(image: BoxedImage, problems: list[Problem]) -> BoxedImage:
    raw = [RawBox(box.label, box.box.left, box.box.top, box.box.right, box.box.bottom) for box in image.boxes]
    return collect_boxes(image.file, image.height_px, image.width_px, raw, problems)


def _add_file(archive: zipfile.ZipFile, name: str, data: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = _MODE << 16
    info.compress_type = compression
    archive.writestr(info, data)


# Names


def _make_stems(files: Sequence[str]) -> list[str]:
    """Return a plain name without suffix for each file, no two alike without case, as their annotations share it."""
    paths = [file.replace("\\", "/").rstrip("/") for file in files]
    names = [_make_plain(path.rpartition("/")[2]) for path in paths]
    counts = Counter(name.lower() for name in names)
    stems: list[str] = []
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for path, name in zip(paths, names, strict=True):
        wanted = stem = name if counts[name.lower()] == 1 else _make_plain(path)
        while stem.lower() in taken:
            numbers[wanted.lower()] += 1
            stem = f"{wanted}_{numbers[wanted.lower()] + 1}"
        taken.add(stem.lower())
        stems.append(stem)
    return stems


def _make_plain(path: str) -> str:
    """Return the end of a path as letters, digits, `_` and `-`; without dots, as tools cut names at the first one."""
    suffix = get_suffix(path)
    if suffix in IMAGE_SUFFIXES:
        path = path[: -len(suffix)]
    letters = unicodedata.normalize("NFKD", path[-MAX_NAME_CHARS:])
    base = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", base)[-MAX_STEM_CHARS:].strip("_-")
    if plain and plain.lower() not in _RESERVED_STEMS:
        return plain
    return f"image_{plain}" if plain else "image"


# Pascal VOC


def _describe_voc_image(entry: _Entry, _class_names: Sequence[str]) -> dict[str, bytes]:
    root = ElementTree.Element("annotation")
    _add_texts(root, folder="JPEGImages", filename=entry.name)
    _add_texts(ElementTree.SubElement(root, "source"), database="Bloodcell")
    size = ElementTree.SubElement(root, "size")
    _add_texts(size, width=entry.image.width_px, height=entry.image.height_px, depth=3)
    _add_texts(root, segmented=0)
    for box in entry.image.boxes:
        item = ElementTree.SubElement(root, "object")
        _add_texts(item, name=box.label, pose="Unspecified", truncated=0, difficult=0)
        top, left, bottom, right = box.box
        _add_texts(ElementTree.SubElement(item, "bndbox"), xmin=left + 1, ymin=top + 1, xmax=right, ymax=bottom)
    ElementTree.indent(root)
    return {f"Annotations/{entry.stem}.xml": ElementTree.tostring(root, "utf-8", xml_declaration=True) + b"\n"}


def _add_texts(parent: ElementTree.Element, **texts: str | int) -> None:
    for tag, text in texts.items():
        ElementTree.SubElement(parent, tag).text = str(text)


def _describe_voc_set(entries: Sequence[_Entry], _class_names: Sequence[str]) -> dict[str, bytes]:
    return {"ImageSets/Main/default.txt": _encode_lines(entry.stem for entry in entries)}


# COCO


def _describe_coco_set(entries: Sequence[_Entry], class_names: Sequence[str]) -> dict[str, bytes]:
    # Numbers begin with 1: CVAT takes a category 0 for none.
    category_of = {name: number for number, name in enumerate(class_names, 1)}
    images = []
    annotations: list[dict[str, Any]] = []
    for image_id, entry in enumerate(entries, 1):
        height_px, width_px = entry.image.height_px, entry.image.width_px
        images.append({"id": image_id, "file_name": entry.name, "width": width_px, "height": height_px})
        for box in entry.image.boxes:
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": category_of[box.label],
                "bbox": [box.box.left, box.box.top, box.box.width, box.box.height],
                "area": box.box.area_px,
                "iscrowd": 0,
                "segmentation": [],  # CVAT refuses boxes without it
            }
            annotations.append(annotation)
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in category_of.items()]
    document = {
        "info": {"description": "Boxes, written by Bloodcell"},
        "licenses": [],
        "categories": categories,
        "images": images,
        "annotations": annotations,
    }
    return {"annotations/instances_default.json": json.dumps(document, allow_nan=False).encode() + b"\n"}


# YOLO


def _describe_yolo_image(entry: _Entry, class_names: Sequence[str]) -> dict[str, bytes]:
    number_of = {name: number for number, name in enumerate(class_names)}
    height_px, width_px = entry.image.height_px, entry.image.width_px
    lines = []
    for box in entry.image.boxes:
        row, column = box.box.centre
        # Boxes are inside the image, so all are from 0 to 1; 6 decimals keep every pixel of sides up to 600,000.
        shares = (column / width_px, row / height_px, box.box.width / width_px, box.box.height / height_px)
        lines.append(" ".join([str(number_of[box.label]), *(f"{share:.6f}" for share in shares)]))
    return {f"labels/train/{entry.stem}.txt": _encode_lines(lines)}


def _describe_yolo_set(_entries: Sequence[_Entry], class_names: Sequence[str]) -> dict[str, bytes]:
    config = (
        # No `path`: trainers then start from the folder of this file.
        "# val names the images of train, as they are not split: results on it are those of training images.",
        "train: images/train",
        "val: images/train",
        "names:",
        # JSON is YAML, but for its escapes of letters beyond 16 bits.
        *(f"  - {json.dumps(name, ensure_ascii=False)}" for name in class_names),
    )
    return {"data.yaml": _encode_lines(config), "classes.txt": _encode_lines(class_names)}


def _encode_lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _describe_nothing(_entry: _Entry, _class_names: Sequence[str]) -> dict[str, bytes]:
    return {}


_LAYOUTS: Final = {
    "Pascal VOC": _Layout("JPEGImages", _describe_voc_image, _describe_voc_set),
    "COCO": _Layout("images", _describe_nothing, _describe_coco_set),
    "YOLO": _Layout("images/train", _describe_yolo_image, _describe_yolo_set),
}
