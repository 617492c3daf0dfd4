"""Recognise and read annotations of boxes: Pascal VOC, COCO, YOLO or a CSV."""

from collections.abc import Callable, Sequence
from functools import partial

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.boxes.box_sets import BoxedImage, BoxSet
from bloodcell.datasets.boxes.coco import find_coco_files, read_coco
from bloodcell.datasets.boxes.csv_boxes import find_csv_files, read_csv_boxes
from bloodcell.datasets.boxes.voc import find_voc_files, read_voc
from bloodcell.datasets.boxes.yolo import find_yolo_files, read_yolo
from bloodcell.datasets.sources.contents import Contents, Problem

_Reader = Callable[[Contents, list[str]], tuple[list[BoxedImage], list[Problem]]]


def _list_readers(contents: Contents, names: Sequence[str]) -> dict[str, tuple[list[str], _Reader]]:
    """Return by format the files of annotations that are there, and what reads them."""
    return {
        "Pascal VOC": (find_voc_files(contents), read_voc),
        "COCO": (find_coco_files(contents), read_coco),
        "YOLO": (find_yolo_files(contents), partial(read_yolo, names=names)),
        "CSV of boxes": (find_csv_files(contents), read_csv_boxes),
    }


def find_box_format(contents: Contents) -> str | None:
    """Return the format of the annotations of boxes that a folder or zip has; None for none, or several."""
    kinds = [kind for kind, (files, _) in _list_readers(contents, ()).items() if files]
    return kinds[0] if len(kinds) == 1 else None


def read_box_set(contents: Contents, names: Sequence[str] = ()) -> BoxSet:
    """Recognise and read the annotations of a folder or zip.

    Parameters
    ----------
    contents : Contents
        Images and annotations: VOC (an .xml an image), COCO (one .json for all), YOLO (a .txt an image), or a CSV with a row
        a box.
    names : sequence of str, default ()
        Names of the classes 0, 1, ... of YOLO, where no file of its own says them.

    Returns
    -------
    BoxSet

    Raises
    ------
    DatasetError
        If there are no such annotations, annotations of several kinds, or none that names an image here.
    """
    readers = _list_readers(contents, names)
    kinds = [kind for kind, (files, _) in readers.items() if files]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise DatasetError(
            f"Boxes must be given in one of {', '.join(readers)}. Found in {contents.path.name}: {found}."
        )
    files, read = readers[kinds[0]]
    images, problems = read(contents, files)
    by_file: dict[str, BoxedImage] = {}
    for image in images:
        if by_file.setdefault(image.file, image) is not image:
            problems.append(Problem(image.file, "It is annotated more than once; only the first annotation is used."))
    if not images:
        reason = f" {problems[0].file}: {problems[0].reason}" if problems else ""
        raise DatasetError(f"No annotation in {contents.path.name} belongs to an image there.{reason}")
    return BoxSet(kinds[0], tuple(by_file[file] for file in sorted(by_file)), tuple(problems))
