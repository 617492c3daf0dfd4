"""Scan every image of a dataset once: size, format, SHA-256, and what is wrong with it."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pandas as pd

from bloodcell.core.errors import DatasetError, ImageError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.labels.layouts import Listing
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_image_format, read_image_size, read_rgb

COLUMNS: Final = ("file", "label", "split", "width_px", "height_px", "format", "n_bytes", "sha256", "problem")
MAX_DECODED_PX: Final = 1_000_000
N_THREADS: Final = 2

_END_MARKS: Final = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
_TAIL_BYTES: Final = 4096  # cameras write a few zeros or a note behind the end
_NUMBER_COLUMNS: Final = ("width_px", "height_px", "n_bytes")
_N_AHEAD: Final = 64  # images given to the threads before their turn


def scan_images(
    listing: Listing,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> pd.DataFrame:
    """Read every listed image once, two at a time, with the bytes of only a few in memory.

    Checked are the bytes (readable, at most 200 MB), the header (JPEG, PNG, BMP or TIFF with one image, size within the
    limits of `imaging.read`) and, for images up to `MAX_DECODED_PX` pixels and for larger JPEG and PNG files without
    an end mark, that `read_rgb` decodes them. Not checked: damage inside a larger image (and a larger BMP or TIFF that
    is cut short), and damage that a JPEG decoder does not notice.

    Parameters
    ----------
    listing : Listing
    on_progress : callable, optional
        Called with (done, total) images, in the calling thread.
    should_stop : callable, optional
        Asked before every image, in the calling thread; True ends the pass.

    Returns
    -------
    DataFrame
        One row for each image in the listing's order: file, label, split, width_px, height_px (0 if unknown), format
        ("" if unknown), n_bytes (0 if unreadable), sha256 ("" if unreadable), problem ("" or plain sentences).

    Raises
    ------
    StoppedError
        If `should_stop` returned True; there is no partial table, so that no dataset is half registered.
    DatasetError
        If the folder or zip is gone or can no longer be used.
    """
    total = len(listing.images)
    rows: list[dict[str, Any]] = []
    is_over = threading.Event()

    with Contents(listing.path) as contents, ThreadPoolExecutor(min(N_THREADS, os.cpu_count() or 1)) as pool:

        def scan_unless_over(image: Record) -> dict[str, Any]:
            return {} if is_over.is_set() else _scan_image(contents, image)

        waiting = [pool.submit(scan_unless_over, image) for image in listing.images[:_N_AHEAD]]
        try:
            for done in range(total):
                if should_stop is not None and should_stop():
                    raise StoppedError(f"The scan was stopped after {done} of {total} images; nothing was kept.")
                rows.append(waiting[done % _N_AHEAD].result())
                if done + _N_AHEAD < total:
                    waiting[done % _N_AHEAD] = pool.submit(scan_unless_over, listing.images[done + _N_AHEAD])
                if on_progress is not None:
                    on_progress(done + 1, total)
        finally:
            is_over.set()
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = [name for name in COLUMNS if name not in _NUMBER_COLUMNS]
    return table.astype(dict.fromkeys(_NUMBER_COLUMNS, "int64") | dict.fromkeys(texts, "str"))


def _scan_image(contents: Contents, image: Record) -> dict[str, Any]:
    row: dict[str, Any] = {"file": image.file, "label": image.label, "split": image.split, "problem": ""}
    row |= {"width_px": 0, "height_px": 0, "format": "", "n_bytes": 0, "sha256": ""}
    try:
        data = contents.read(image.file)
        row |= {"n_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        row["format"] = read_image_format(data)
        row["height_px"], row["width_px"] = read_image_size(data)
        is_small = row["height_px"] * row["width_px"] <= MAX_DECODED_PX
        if is_small or _END_MARKS.get(row["format"], b"") not in data[-_TAIL_BYTES:]:
            read_rgb(data)
    except (DatasetError, ImageError) as error:
        row["problem"] = str(error)
    return row
