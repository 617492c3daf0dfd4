"""Pictures of cells and fields for the pages, made once and kept as compressed bytes."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import streamlit as st

from bloodcell.core.errors import BloodcellError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_jpeg, encode_png, read_rgb
from bloodcell.inference.pipeline import DISPLAY_CONTEXT, crop_for_display
from bloodcell.plots.cell_images import crop_close_up, draw_boxes, fit_inside
from bloodcell.ui.shared.image_grid import data_uri

TILE_PX = 120
CELL_PX = 240
FIELD_PX = 720
THUMBNAIL_PX = 96
CACHE_BYTES = 48_000_000  # about 8,000 tiles
_BLANK_GRAY = 235


class ImageStore(Protocol):
    """Where the bytes of pictures are read from, by their SHA-256 in hexadecimal."""

    def get(self, sha256: str) -> bytes: ...


class ThumbnailCache:
    """Compressed pictures under (sha256, what was made of it); the ones unused longest go first.

    Parameters
    ----------
    max_bytes : int
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._entries: OrderedDict[tuple, bytes] = OrderedDict()
        self._lock = threading.Lock()  # Streamlit runs each browser session in a thread of its own

    def get(self, key: tuple) -> bytes | None:
        """Return the bytes, None where they are not kept."""
        with self._lock:
            data = self._entries.get(key)
            if data is not None:
                self._entries.move_to_end(key)
            return data

    def put(self, key: tuple, data: bytes) -> bytes:
        """Keep bytes and hand them back."""
        with self._lock:
            self.n_bytes += len(data) - len(self._entries.pop(key, b""))
            self._entries[key] = data
            while self.n_bytes > self.max_bytes and len(self._entries) > 1:
                self.n_bytes -= len(self._entries.popitem(last=False)[1])
        return data


@st.cache_resource(show_spinner=False)
def get_shared_cache() -> ThumbnailCache:
    """Return the one cache of this process."""
    return ThumbnailCache()


def make_tile_crops(
    cache: ThumbnailCache, blobs: ImageStore, wanted: Sequence[tuple[str, Box]]
) -> tuple[list[str], list[str]]:
    """Return the crops of some cells as data URIs, in the same order.

    Parameters
    ----------
    wanted : (sha256 of the image, box of the cell); an image with several cells is decoded once

    Returns
    -------
    (list of str, list of str)
        Data URIs of JPEG pictures of `TILE_PX`; what was wrong with images that could not be read, whose
        cells get a blank picture.
    """
    missing: dict[str, list[Box]] = {}
    uris = {}
    for sha256, box in wanted:
        data = cache.get((sha256, box, TILE_PX))
        if data is None:
            missing.setdefault(sha256, []).append(box)
        else:
            uris[sha256, box] = data_uri(data)
    problems = []
    for sha256, boxes in missing.items():
        try:
            rgb = read_rgb(blobs.get(sha256))
        except BloodcellError as error:
            problems.append(str(error))
            rgb = None
        for box in boxes:
            if rgb is None:
                uris[sha256, box] = data_uri(encode_jpeg(np.full((8, 8, 3), _BLANK_GRAY, np.uint8)))
            else:
                crop = encode_jpeg(crop_for_display(rgb, box, TILE_PX))
                uris[sha256, box] = data_uri(cache.put((sha256, box, TILE_PX), crop))
    return [uris[key] for key in wanted], problems


def make_cell_and_field(
    cache: ThumbnailCache, blobs: ImageStore, sha256: str, boxes: Sequence[Box], chosen: int
) -> tuple[bytes, bytes]:
    """Return one cell's close-up as PNG, and its field with the boxes drawn as JPEG.

    The close-up is lossless: its histogram and masks are computed from it.

    Raises
    ------
    StoreError, ImageError
        If the stored image is missing, damaged or cannot be read.
    """
    cell_key, field_key = (sha256, boxes[chosen], "close-up"), (sha256, tuple(boxes), chosen)
    cell, field = cache.get(cell_key), cache.get(field_key)
    if cell is None or field is None:
        rgb = read_rgb(blobs.get(sha256))
        cell = cache.put(cell_key, encode_png(crop_close_up(rgb, boxes[chosen], DISPLAY_CONTEXT, CELL_PX)))
        field = cache.put(field_key, encode_jpeg(draw_boxes(rgb, boxes, chosen, FIELD_PX)))
    return cell, field


def make_thumbnail(cache: ThumbnailCache, blobs: ImageStore, sha256: str) -> str | None:
    """Return a whole image, small, as a data URI; None where it cannot be read."""
    key = (sha256, "thumbnail")
    data = cache.get(key)
    if data is None:
        try:
            rgb = read_rgb(blobs.get(sha256))
        except BloodcellError:
            return None
        data = cache.put(key, encode_jpeg(fit_inside(rgb, THUMBNAIL_PX)[0]))
    return data_uri(data)
