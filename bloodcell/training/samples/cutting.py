"""From labelled images to crops in files: the largest cell, a look-alike of a cell, or the whole image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.io import open_atomic
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.framing import Framing
from bloodcell.training.samples.crop_store import CropWriter, read_ahead

# Label of crops that show no white cell at all, and the share of an image's side that is searched for them.
LOOKALIKE = ""
WINDOW_SHARE = 0.42

Cutter = Callable[[Record], tuple[np.ndarray | None, ...]]


def write_crops(
    cutter: Cutter,
    images: Contents,
    records: list[Record],
    shape: tuple[int, int, int],
    cached: Path,
    on_progress: OnProgress | None = None,
) -> None:
    """Write the crops of labelled images to a file, and their index beside it; the index last, so that both are whole.

    Parameters
    ----------
    cutter : callable
        Cuts the crops of an image, as `cut_cell` and `cut_whole_image` do.
    images : Contents
        The open images.
    records : list of Record
        The labelled images.
    shape : tuple of int
        (height, width, 3) of a crop.
    cached : Path
        The index, an .npz file of `kept`, the row in `records` of each crop, and `labels`; the crops are beside it,
        with the suffix .crops.
    on_progress : callable, optional
        Called with (done, total) images.

    Raises
    ------
    DatasetError
        If no image gives a crop.
    """
    crop_rows, labels = [], []
    with CropWriter(cached.with_suffix(".crops"), shape) as writer:
        for row, crops in enumerate(read_ahead(cutter, records)):
            for crop, label in zip(crops, (records[row].label, LOOKALIKE), strict=False):
                if crop is not None:
                    writer.add(crop)
                    crop_rows.append(row)
                    labels.append(label)
            if on_progress is not None:
                on_progress(row + 1, len(records))
        if not crop_rows:
            raise DatasetError(f"No white cell was found in any of the {len(records)} images of {images.path.name}.")
    with open_atomic(cached) as stream:
        np.savez(stream, kept=np.array(crop_rows), labels=np.array(labels))


def cut_whole_image(framing: Framing, images: Contents, record: Record) -> tuple[np.ndarray, ...]:
    """Return the whole image; an empty tuple if it cannot be read."""
    rgb = read_record_image(images, record)
    if rgb is None:
        return ()
    return (framing.make_input(framing.hide_background(rgb), Box(0, 0, *rgb.shape[:2])),)


def cut_cell(
    framing: Framing, images: Contents, record: Record, red_cell_px: float | None = None
) -> tuple[np.ndarray | None, ...]:
    """Cut out the largest cell, and a look-alike or None; an empty tuple if the image shows no cell or cannot be read."""
    rgb = read_record_image(images, record)
    if rgb is None:
        return ()
    finding = find_white_cells(rgb)
    if not finding.boxes:
        return ()
    box = max(finding.boxes, key=lambda box: box.area_px)
    visible = framing.hide_background(rgb, finding.background_rgb)
    cell = framing.make_input(visible, box, finding.background_rgb, red_cell_px=red_cell_px)
    return cell, _find_lookalike_crop(framing, rgb, finding.boxes, red_cell_px)


def read_record_image(images: Contents, record: Record) -> np.ndarray | None:
    """Read a labelled image; None if it cannot be read, DatasetError if the source has vanished altogether."""
    try:
        return read_rgb(images.read(record.file))
    except BloodcellError as error:
        if not images.path.exists():
            raise DatasetError(f"{record.file} cannot be read: {images.path} is gone.") from error
        return None


def _find_lookalike_crop(
    framing: Framing, rgb: np.ndarray, boxes: tuple[Box, ...], red_cell_px: float | None
) -> np.ndarray | None:
    """Cut out what the detector takes for a cell where there is none: a platelet, a red cell, debris."""
    height, width = rgb.shape[:2]
    side_px = round(WINDOW_SHARE * min(height, width))
    for top in (0, height - side_px):
        for left in (0, width - side_px):
            window = Box(top, left, top + side_px, left + side_px)
            if any(iou(window, box) > 0 for box in boxes):
                continue
            corner = np.ascontiguousarray(rgb[top : top + side_px, left : left + side_px])
            finding = find_white_cells(corner)
            if finding.boxes:
                background = finding.background_rgb
                visible = framing.hide_background(corner, background)
                return framing.make_input(visible, finding.boxes[0], background, red_cell_px=red_cell_px)
    return None
