"""From images with boxes to the fields that a detector is trained on, all brought near one scale by their red cells."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.core.labels import DETECTED, RBC
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.datasets.boxes.box_sets import BoxedImage, BoxSet, map_labels
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import read_rgb
from bloodcell.training.specs.detector_spec import BoxSourceSpec, DetectorSpec

# Fields are stored a little larger than the detector sees them, so that enlarged tiles stay sharp.
STORED_OVER_SCALE: Final = 1.4
MIN_RED_CELLS: Final = 3


@dataclass(frozen=True)
class Field:
    """An image with boxes.

    Attributes
    ----------
    source : int
        Its source, counted from 0.
    file : str
    rgb : ndarray of uint8, shape (H, W, 3)
        Resized so that its red cells have about `red_cell_px` times `STORED_OVER_SCALE`.
    boxes : ndarray of float32, shape (N, 4)
        Top, left, bottom and right in pixels of `rgb`.
    class_index : ndarray of int64, shape (N,)
        Into `DETECTED`.
    red_cell_px : float
        Diameter of the red cells in `rgb`.
    """

    source: int
    file: str
    rgb: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    class_index: npt.NDArray[np.int64]
    red_cell_px: float


@dataclass(frozen=True)
class FieldSamples:
    """The fields of a run.

    Attributes
    ----------
    fields : list of Field
    held_out : ndarray of bool, shape (len(fields),)
    left_out : list of str
        What was not used, and why.
    sha256 : str
        Of all that was read.
    """

    fields: list[Field]
    held_out: npt.NDArray[np.bool_]
    left_out: list[str]
    sha256: str

    def select(self, held_out: bool) -> list[Field]:
        """Return the fields that are held out, or those that are trained on."""
        return [field for field, is_held in zip(self.fields, self.held_out, strict=True) if is_held == held_out]


def measure_red_cells(boxes: Sequence[Box], height_px: int, width_px: int) -> float | None:
    """Measure the diameter of the red cells of an image: the median of sqrt(height * width) of whole boxes.

    Parameters
    ----------
    boxes : sequence of Box
        Of red cells; those at the edge of the image are cut, so they do not count.
    height_px, width_px : int
        Size of the image.

    Returns
    -------
    float or None
        In pixels; None where fewer than `MIN_RED_CELLS` are whole.

    Examples
    --------
    >>> measure_red_cells([Box(10, 10, 40, 40), Box(50, 10, 82, 42), Box(50, 60, 78, 88), Box(0, 0, 9, 9)], 100, 100)
    30.0
    """
    whole = [
        box for box in boxes if box.top > 1 and box.left > 1 and box.bottom < height_px - 1 and box.right < width_px - 1
    ]
    if len(whole) < MIN_RED_CELLS:
        return None
    return float(np.median([np.sqrt(box.area_px) for box in whole]))


def open_box_source(source: BoxSourceSpec, data_dir: Path) -> tuple[Contents, BoxSet]:
    """Open a source and read its boxes, labels mapped to `DETECTED`, images outside its part left out.

    Raises
    ------
    DatasetError
        If it is missing, has no annotations, or nothing of it is used.
    """
    contents = Contents(data_dir / source.path)
    boxes = read_box_set(contents, source.names)
    mapping = dict(source.labels) or dict(zip(DETECTED, DETECTED, strict=True))
    boxes = map_labels(boxes, mapping)
    stems = set(contents.read(source.list_file).decode().split()) if source.list_file else None
    folder = f"{source.folder.rstrip('/')}/" if source.folder else ""
    images = tuple(
        image
        for image in boxes.images
        if (stems is None or PurePosixPath(image.file).stem in stems) and image.file.startswith(folder)
    )
    if not any(image.boxes for image in images):
        raise DatasetError(f"No box of the source {source.name} is used: check its labels, folder and list.")
    return contents, BoxSet(boxes.kind, images, boxes.problems)


def load_field_samples(spec: DetectorSpec, data_dir: Path, control: Control) -> FieldSamples:
    """Read all fields of a spec, and decide which are held out.

    Parameters
    ----------
    spec : DetectorSpec
    data_dir : Path
        Folder that the sources' paths start from.
    control : Control
        Is told how many images are read, and may stop the reading.

    Returns
    -------
    FieldSamples
        Exact duplicates count once; fields with too few red cells to know their scale take the median of their source.

    Raises
    ------
    DatasetError
        If a source cannot be used, or all fields would be held out.
    StoppedError
        If the user stopped it.
    """
    fields: list[Field] = []
    left_out: list[str] = []
    digest = hashlib.sha256()
    seen: set[bytes] = set()
    for number, source in enumerate(spec.box_sources):
        contents, boxes = open_box_source(source, data_dir)
        left_out += [f"{source.name}, {problem.file}: {problem.reason}" for problem in boxes.problems]
        usual = _measure_source(source.name, boxes)
        with contents:
            for done, image in enumerate(boxes.images, start=1):
                raise_if_stopped(control)
                control.on_reading(source.name, done, len(boxes.images))
                data = contents.read(image.file)
                sha256 = hashlib.sha256(data).digest()
                if sha256 in seen:
                    left_out.append(f"{source.name}, {image.file}: an exact duplicate.")
                    continue
                try:
                    rgb = read_rgb(data)
                except ImageError as error:
                    left_out.append(f"{source.name}, {image.file}: {error}")
                    continue
                seen.add(sha256)
                digest.update(sha256 + repr(image.boxes).encode())
                fields.append(_make_field(number, image, rgb, usual, spec.red_cell_px))
    rng = np.random.default_rng(spec.seed)
    held_out = np.zeros(len(fields), bool)
    for number in range(len(spec.box_sources)):
        own = np.flatnonzero([field.source == number for field in fields])
        held_out[rng.permutation(own)[: max(1, round(spec.held_share * len(own)))]] = True
    if held_out.all():
        raise DatasetError(f"A source must have two fields or more, to train on some. Received: {len(fields)} in all.")
    return FieldSamples(fields, held_out, left_out, digest.hexdigest())


def _measure_source(name: str, boxes: BoxSet) -> float:
    measured = [
        measure_red_cells([box.box for box in image.boxes if box.label == RBC], image.height_px, image.width_px)
        for image in boxes.images
    ]
    known = [diameter for diameter in measured if diameter is not None]
    if not known:
        raise DatasetError(f"The source {name} needs boxes of red cells, to know its scale.")
    return float(np.median(known))


def _make_field(source: int, image: BoxedImage, rgb: npt.NDArray[np.uint8], usual_px: float, red_cell_px: int) -> Field:
    red = [box.box for box in image.boxes if box.label == RBC]
    diameter = measure_red_cells(red, image.height_px, image.width_px) or usual_px
    factor = STORED_OVER_SCALE * red_cell_px / diameter
    size = (max(1, round(image.width_px * factor)), max(1, round(image.height_px * factor)))
    resized = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    scales = np.array([size[1] / image.height_px, size[0] / image.width_px] * 2)
    boxes = np.array([box.box for box in image.boxes], np.float64).reshape(-1, 4) * scales
    classes = np.array([DETECTED.index(box.label) for box in image.boxes], np.int64)
    return Field(
        source, image.file, np.asarray(resized, np.uint8), boxes.astype(np.float32), classes, diameter * factor
    )
