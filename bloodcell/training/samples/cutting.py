"""From labelled images to crops in files: the largest cell, what could be mistaken for one, or the whole picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.io import open_atomic
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.framing import Framing
from bloodcell.training.samples.crop_store import CropWriter, read_ahead
from bloodcell.training.samples.source_cache import CountProgress

# Label of crops that show no cell at all, and the part of a picture that is searched for them.
LOOKALIKE = ""
WINDOW_SHARE = 0.42

Cutter = Callable[[Record], tuple[np.ndarray | None, ...]]


def write_crops(
    cut: Cutter,
    images: Contents,
    records: list[Record],
    shape: tuple[int, int, int],
    cached: Path,
    on_progress: CountProgress | None = None,
) -> None:
    """Write the crops of labelled images to a file, and what they are beside it; the latter last, so that both are whole.

    Parameters
    ----------
    cut : gives the crops of an image, as `cut_cell` and `cut_whole_image` do
    shape : (height, width, 3) of a crop
    cached : .npz file of `kept`, the row in `records` of each crop, and `labels`; the crops lie beside it as .crops
    on_progress : called with (done, total) images

    Raises
    ------
    DatasetError
        If no image gives a crop.
    """
    kept, labels = [], []
    with CropWriter(cached.with_suffix(".crops"), shape) as writer:
        for row, crops in enumerate(read_ahead(cut, records)):
            for crop, label in zip(crops, (records[row].label, LOOKALIKE), strict=False):
                if crop is not None:
                    writer.add(crop)
                    kept.append(row)
                    labels.append(label)
            if on_progress is not None:
                on_progress(row + 1, len(records))
        if not kept:
            raise DatasetError(f"No white cell was found in any of the {len(records)} images of {images.path.name}.")
    with open_atomic(cached) as stream:
        np.savez(stream, kept=np.array(kept), labels=np.array(labels))


def cut_whole_image(framing: Framing, images: Contents, record: Record) -> tuple[np.ndarray, ...]:
    """The whole picture; nothing where it cannot be read."""
    rgb = read_record_image(images, record)
    if rgb is None:
        return ()
    return (framing.cut(framing.hide_background(rgb), Box(0, 0, *rgb.shape[:2])),)


def cut_cell(framing: Framing, images: Contents, record: Record) -> tuple[np.ndarray | None, ...]:
    """The largest cell, and what could be mistaken for one or None; nothing where there is no cell."""
    rgb = read_record_image(images, record)
    if rgb is None:
        return ()
    finding = find_white_cells(rgb)
    if not finding.boxes:
        return ()
    box = max(finding.boxes, key=lambda found: found.area_px)
    cell = framing.cut(framing.hide_background(rgb, finding.background_rgb), box, finding.background_rgb)
    return cell, _find_lookalike_crop(framing, rgb, finding.boxes)


def read_record_image(images: Contents, record: Record) -> np.ndarray | None:
    """A labelled picture; None where it cannot be read. DatasetError where the images have vanished altogether."""
    try:
        return read_rgb(images.read(record.file))
    except BloodcellError as error:
        if not images.path.exists():
            raise DatasetError(f"{record.file} cannot be read: {images.path} is gone.") from error
        return None


def _find_lookalike_crop(framing: Framing, rgb: np.ndarray, boxes: tuple[Box, ...]) -> np.ndarray | None:
    """What the finder takes for a cell in a part of the picture that holds none: a platelet, a red cell, debris."""
    height, width = rgb.shape[:2]
    part_px = round(WINDOW_SHARE * min(height, width))
    for top in (0, height - part_px):
        for left in (0, width - part_px):
            window = Box(top, left, top + part_px, left + part_px)
            if any(iou(window, box) > 0 for box in boxes):
                continue
            part = np.ascontiguousarray(rgb[top : top + part_px, left : left + part_px])
            found = find_white_cells(part)
            if found.boxes:
                return framing.cut(
                    framing.hide_background(part, found.background_rgb), found.boxes[0], found.background_rgb
                )
    return None
