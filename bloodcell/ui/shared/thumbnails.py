"""Images of cells and fields for the pages, encoded once and cached as compressed bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
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
FIELD_VIEW_PX = 1600
THUMBNAIL_PX = 96
CACHE_BYTES = 48_000_000  # about 8,000 tiles
_BLANK_GRAY = 235

ThumbnailKey = tuple[Hashable, ...]


class ImageStore(Protocol):
    """Where encoded images are read from, by their SHA-256 in hexadecimal."""

    def get(self, sha256: str) -> bytes:
        """Return the bytes of an image; BloodcellError where that is not possible."""
        ...


class ThumbnailCache:
    """Encoded images by (SHA-256 of the source image, what is shown of it); the ones unused longest go first.

    Parameters
    ----------
    max_bytes : int, default 48,000,000
        Of all cached images together; the newest one is cached whatever its size.

    Examples
    --------
    >>> cache = ThumbnailCache(max_bytes=10)
    >>> cache.put(("a",), b"1234567")
    b'1234567'
    >>> cache.put(("b",), b"1234567")
    b'1234567'
    >>> cache.get(("a",)) is None, cache.n_bytes
    (True, 7)
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._entries: OrderedDict[ThumbnailKey, bytes] = OrderedDict()
        self._lock = threading.Lock()  # Streamlit runs each browser session in a thread of its own

    def get(self, key: ThumbnailKey) -> bytes | None:
        """Return the cached bytes, None where there are none."""
        with self._lock:
            data = self._entries.get(key)
            if data is not None:
                self._entries.move_to_end(key)
            return data

    def put(self, key: ThumbnailKey, data: bytes) -> bytes:
        """Cache bytes and return them."""
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
    cache: ThumbnailCache, blobs: ImageStore, cells: Sequence[tuple[str, Box]]
) -> tuple[list[str], list[str]]:
    """Return the crops of some cells as data URIs.

    Parameters
    ----------
    cache : ThumbnailCache
    blobs : ImageStore
    cells : sequence of (str, Box)
        SHA-256 of the image and box of each cell; an image with several cells is decoded once.

    Returns
    -------
    uris : list of str
        JPEG images of `TILE_PX`, in the order of `cells`; a blank one where the image cannot be read.
    problems : list of str
        A sentence for each image that cannot be read.
    """
    boxes_by_image: dict[str, list[Box]] = {}
    uris = {}
    for sha256, box in cells:
        data = cache.get((sha256, box, TILE_PX))
        if data is None:
            boxes_by_image.setdefault(sha256, []).append(box)
        else:
            uris[sha256, box] = data_uri(data)
    problems = []
    for sha256, boxes in boxes_by_image.items():
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
    return [uris[cell] for cell in cells], problems


def make_cell_and_field(
    cache: ThumbnailCache, blobs: ImageStore, sha256: str, boxes: Sequence[Box], chosen: int
) -> tuple[bytes, bytes]:
    """Return the close-up of a cell, and its field with the boxes of all cells drawn.

    Parameters
    ----------
    cache : ThumbnailCache
    blobs : ImageStore
    sha256 : str
        Of the image.
    boxes : sequence of Box
        All cells of the image.
    chosen : int
        Index of the cell in `boxes`.

    Returns
    -------
    close_up : bytes
        PNG of at most `CELL_PX`; lossless, as its histogram and masks are computed from it.
    field : bytes
        JPEG of at most `FIELD_PX`.

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


def make_field_image(cache: ThumbnailCache, blobs: ImageStore, sha256: str) -> str:
    """Return a whole image of at most `FIELD_VIEW_PX` as a data URI; StoreError or ImageError where it cannot be read."""
    key = (sha256, "field")
    data = cache.get(key)
    if data is None:
        data = cache.put(key, encode_jpeg(fit_inside(read_rgb(blobs.get(sha256)), FIELD_VIEW_PX)[0]))
    return data_uri(data)


def make_thumbnail(cache: ThumbnailCache, blobs: ImageStore, sha256: str) -> str | None:
    """Return a whole image of at most `THUMBNAIL_PX` as a data URI; None where it cannot be read."""
    key = (sha256, "thumbnail")
    data = cache.get(key)
    if data is None:
        try:
            rgb = read_rgb(blobs.get(sha256))
        except BloodcellError:
            return None
        data = cache.put(key, encode_jpeg(fit_inside(rgb, THUMBNAIL_PX)[0]))
    return data_uri(data)
