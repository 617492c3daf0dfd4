"""Large images, read region by region, so that memory stays flat whatever their size.

Of a TIFF the tags are read when it is opened, and of its pixels the tiles or strips that a region needs, each unpacked in
a TIFF of its own by Pillow's libtiff, the decoder of `read_rgb`, which stops at the size that the tags promise. Files
are hostile, so nothing is read whose size was not checked. That is why the tags are read here and not by tifffile: it
loads all that a file names (832 MB were measured for a file of 40 MB), and inflates without a limit.
"""

import io
import os
import re
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from bloodcell.core.errors import ImageError
from bloodcell.imaging.read import MAX_PIXELS, MIN_SIDE_PX, read_image_size, read_rgb

MAX_SIDE_PX: Final = 20_000
MAX_TILE_PX: Final = 4096 * 4096  # of a tile or strip, as it is unpacked whole
CACHE_BYTES: Final = 96_000_000  # unpacked tiles that are kept: regions overlap, and strips are as wide as the image
SLIDE_SUFFIXES: Final = (".svs", ".ndpi", ".mrxs")

_MAX_FILE_BYTES: Final = 400_000_000  # of a file that is read whole; 50 million pixels of a BMP take 200 MB
_MAX_PAGES, _MAX_TAGS, _MAX_EXTRA_BYTES = 32, 1000, 65_536
_MIN_TILE_SIDE_PX: Final = 16  # by the TIFF specification; bounds the number of tiles
_SLIDE_TILE_PX: Final = (512, 512)
_RAW_ROWS: Final = 64  # raw strips that follow one another are read as strips of this height
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what ends a scan: no stuffed byte, restart or padding
_TIFF_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
_NUMBER_TYPES: Final = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 16: "u8"}
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_HEIGHT, _STRIP_BYTES, _PLANAR = 273, 274, 277, 278, 279, 284
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _FORMAT, _TABLES = 317, 322, 323, 324, 325, 339, 347
_RAW, _JPEG, _RGB, _YCBCR = 1, 7, 2, 6
# What a tag may say: its name, its value where it is absent, and the allowed values.
_ALLOWED: Final[dict[int, tuple[str, int, set[int]]]] = {
    _SAMPLES: ("channels", 1, {3}),
    _BITS: ("bits per channel", 1, {8}),
    _FORMAT: ("sample format", 1, {1}),
    _PHOTOMETRIC: ("photometric", 0, {_RGB, _YCBCR}),
    _COMPRESSION: ("compression", _RAW, {_RAW, _JPEG, 5, 8, 32946, 32773}),
    _PLANAR: ("planar configuration", 1, {1}),
    _ORIENTATION: ("orientation", 1, {1}),
    _FILL_ORDER: ("fill order", 1, {1}),
    _PREDICTOR: ("predictor", 1, {1, 2}),
}

_Rgb = npt.NDArray[np.uint8]
_Size = tuple[int, int]
_Load = Callable[[int, int], _Rgb]  # unpacks the tile in a row and column of tiles, ImageError where it is damaged


class DamagedTile(NamedTuple):
    """A tile or strip that could not be unpacked, in pixels of the image, where it is white."""

    row: int
    col: int
    height_px: int
    width_px: int
    reason: str


class LargeImage(AbstractContextManager["LargeImage"]):
    """An open image, of which regions are read; for one thread. `open_large_image` makes it.

    Attributes
    ----------
    height_px, width_px : int
    problems : list of DamagedTile
        What was found damaged in the regions that were read so far, each tile once.
    """

    def __init__(self, size_px: _Size, tile_px: _Size, load: _Load, close: Callable[[], None]) -> None:
        self.height_px, self.width_px = size_px
        self.problems: list[DamagedTile] = []
        self._tile_px = tile_px
        self._load = lru_cache(max(1, CACHE_BYTES // (3 * tile_px[0] * tile_px[1])))(load)
        self._close = close
        self._damaged: set[tuple[int, int]] = set()

    def read_region(self, top: int, left: int, bottom: int, right: int) -> _Rgb:
        """Read a region; the end is excluded.

        Parameters
        ----------
        top, left, bottom, right : int
            Within the image, with 1 to `MAX_PIXELS` pixels.

        Returns
        -------
        ndarray of uint8, shape (bottom - top, right - left, 3)
            White where a tile is damaged; `problems` tells which.

        Raises
        ------
        ImageError
            If the region is empty, too large or not within the image, or the file can no longer be read.
        """
        is_inside = 0 <= top < bottom <= self.height_px and 0 <= left < right <= self.width_px
        if not is_inside or (bottom - top) * (right - left) > MAX_PIXELS:
            raise ImageError(
                f"A region must hold 1 to {MAX_PIXELS:,} pixels of the image, which has {self.height_px} rows and "
                f"{self.width_px} columns. Received: rows {top} to {bottom}, columns {left} to {right}."
            )
        rgb = np.full((bottom - top, right - left, 3), 255, np.uint8)
        height, width = self._tile_px
        for row in range(top // height, (bottom - 1) // height + 1):
            for col in range(left // width, (right - 1) // width + 1):
                tile, down, across = self._get_tile(row, col), row * height - top, col * width - left
                if tile is not None:
                    part = tile[max(-down, 0) : bottom - top - down, max(-across, 0) : right - left - across]
                    target = rgb[max(down, 0) :, max(across, 0) :]
                    target[: part.shape[0], : part.shape[1]] = part
        return rgb

    def close(self) -> None:
        """Close the file."""
        self._load.cache_clear()
        self._close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get_tile(self, row: int, col: int) -> _Rgb | None:
        if (row, col) in self._damaged:
            return None
        try:
            return self._load(row, col)
        except ImageError as error:
            top, left = row * self._tile_px[0], col * self._tile_px[1]
            sides = min(self._tile_px[0], self.height_px - top), min(self._tile_px[1], self.width_px - left)
            self.problems.append(DamagedTile(top, left, *sides, str(error)))
            self._damaged.add((row, col))
            return None
        except OSError as error:
            raise ImageError(f"The image file can no longer be read: {error}.") from error


def open_large_image(path: Path) -> LargeImage:
    """Open an image of up to `MAX_SIDE_PX` a side.

    Parameters
    ----------
    path : Path
        A TIFF or BigTIFF of 8-bit RGB in tiles or strips, uncompressed or by JPEG, deflate, LZW or PackBits; of a pyramid
        the full level is read. Or a PNG, JPEG or BMP, which is unpacked whole by `read_rgb`. Or a slide, one of
        `SLIDE_SUFFIXES`, if the extra `slides` is installed.

    Returns
    -------
    LargeImage
        To be closed.

    Raises
    ------
    ImageError
        If the file is missing, damaged, too large, of another kind or has several pages, or the extra is missing.
    """
    if path.suffix.lower() in SLIDE_SUFFIXES:
        return _open_slide(path)
    try:
        file = path.open("rb")
        try:
            return _open_tiff(file) if file.read(4) in _TIFF_STARTS else _read_whole(file)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise ImageError(f"The image file {path.name} cannot be read: {error.strerror}.") from error


def _check_size(height_px: int, width_px: int) -> _Size:
    if min(height_px, width_px) < MIN_SIDE_PX or max(height_px, width_px) > MAX_SIDE_PX:
        raise ImageError(f"Sides must have {MIN_SIDE_PX} to {MAX_SIDE_PX:,} px. Received: {width_px} x {height_px} px.")
    return height_px, width_px


def _read_whole(file: IO[bytes]) -> LargeImage:
    n_bytes = os.fstat(file.fileno()).st_size
    if n_bytes > _MAX_FILE_BYTES:
        raise ImageError(f"Only a TIFF may have more than {_MAX_FILE_BYTES:,} bytes. Received: {n_bytes:,}.")
    data = _read_at(file, 0, n_bytes)
    size = _check_size(*read_image_size(data))
    rgb = read_rgb(data)
    return LargeImage(size, size, lambda _row, _col: rgb, file.close)


def _open_slide(path: Path) -> LargeImage:
    try:
        import openslide
    except ImportError as error:
        raise ImageError(
            f"Slides ({', '.join(SLIDE_SUFFIXES)}) need OpenSlide: pip install 'bloodcell[slides]'."
        ) from error
    try:
        slide = openslide.OpenSlide(path)
        width_px, height_px = slide.dimensions
    except (openslide.OpenSlideError, OSError) as error:
        raise ImageError(f"The slide {path.name} is missing, damaged or of an unknown kind.") from error
    size = _check_size(height_px, width_px)

    def load(row: int, col: int) -> _Rgb:
        nonlocal slide
        try:
            rgba = slide.read_region((col * _SLIDE_TILE_PX[1], row * _SLIDE_TILE_PX[0]), 0, _SLIDE_TILE_PX)
        except openslide.OpenSlideError as error:
            slide.close()
            slide = openslide.OpenSlide(path)  # after an error it refuses everything
            raise ImageError(f"It cannot be unpacked: {error}.") from error
        return np.array(Image.alpha_composite(Image.new("RGBA", _SLIDE_TILE_PX, "white"), rgba).convert("RGB"))

    return LargeImage(size, _SLIDE_TILE_PX, load, lambda: slide.close())


def _open_tiff(file: IO[bytes]) -> LargeImage:
    page = _read_full_page(file)
    size = height, width = _check_size(page.read(_HEIGHT)[0], page.read(_WIDTH)[0])
    coding = _require_supported(page)
    is_tiled = _TILE_WIDTH in page.fields
    tile_width = page.read(_TILE_WIDTH, width)[0]
    tile_height = page.read(_TILE_HEIGHT)[0] if is_tiled else min(page.read(_STRIP_HEIGHT, height)[0], height)
    if min(tile_height, tile_width) < (_MIN_TILE_SIDE_PX if is_tiled else 1):
        raise ImageError(f"The TIFF is damaged: its tiles have {tile_width} x {tile_height} px.")
    n_cols = -(-width // tile_width)
    count = -(-height // tile_height) * n_cols
    codes = (_TILE_OFFSETS, _TILE_BYTES) if is_tiled else (_STRIP_OFFSETS, _STRIP_BYTES)
    offsets, sizes = (page.read(code, max_count=count) for code in codes)
    if not len(offsets) == len(sizes) == count:
        raise ImageError(f"The TIFF is damaged: it names {len(offsets)} of {count} tiles or strips.")
    is_joined = offsets == [offsets[0] + 3 * width * top for top in range(0, height, tile_height)]
    if coding == _RAW and is_joined and not is_tiled:
        tile_height = min(_RAW_ROWS, height)
        offsets = [offsets[0] + 3 * width * top for top in range(0, height, tile_height)]
        sizes = [3 * width * min(tile_height, height - top) for top in range(0, height, tile_height)]
    if tile_height * tile_width > MAX_TILE_PX:
        raise ImageError(f"A tile or strip may have {MAX_TILE_PX:,} pixels. Received: {tile_width} x {tile_height} px.")

    def load(row: int, col: int) -> _Rgb:
        number = row * n_cols + col
        n_rows = tile_height if is_tiled else min(tile_height, height - row * tile_height)
        n_unpacked = 3 * n_rows * tile_width
        if sizes[number] < (n_unpacked if coding == _RAW else 1) or sizes[number] > 2 * n_unpacked + _MAX_EXTRA_BYTES:
            raise ImageError(f"It must hold {n_unpacked:,} bytes of pixels. Received: {sizes[number]:,}.")
        data = _read_at(file, offsets[number], n_unpacked if coding == _RAW else sizes[number])
        if coding == _RAW:
            return np.frombuffer(data, np.uint8).reshape(n_rows, tile_width, 3)
        if coding == _JPEG:
            _require_whole_jpeg(data, n_rows, tile_width)
        return _unpack(data, n_rows, tile_width, page)

    return LargeImage(size, (tile_height, tile_width), load, file.close)


class _Page(NamedTuple):
    """The tags of a page of a TIFF as (type, count, value or its offset)."""

    file: IO[bytes]
    order: str
    fields: dict[int, tuple[int, int, bytes]]

    def read(self, code: int, default: int = -1, max_count: int = 16) -> list[int]:
        """Read the values of a tag; `default` where it is absent, ImageError where it has more than `max_count`."""
        if code not in self.fields:
            return [default]
        kind, count, data = self.fields[code]
        if kind not in _NUMBER_TYPES or not 0 < count <= max_count:
            raise ImageError(f"The TIFF is damaged: its tag {code} has {count} values of type {kind}.")
        dtype = np.dtype(self.order + _NUMBER_TYPES[kind])
        if count * dtype.itemsize > len(data):
            offset = struct.unpack(self.order + ("Q" if len(data) == 8 else "I"), data)[0]
            data = _read_at(self.file, offset, count * dtype.itemsize)
        return list(map(int, np.frombuffer(data[: count * dtype.itemsize], dtype)))


def _read_full_page(file: IO[bytes]) -> _Page:
    """Read the tags of the page that is no reduced copy, thumbnail or label."""
    header = _read_at(file, 0, 16)
    order, is_big = ("<" if header[:1] == b"I" else ">"), 43 in header[2:4]
    entry = struct.Struct(order + ("HHQ8s" if is_big else "HHI4s"))
    number, word = (struct.Struct(order + letter) for letter in ("QQ" if is_big else "HI"))
    (offset,) = word.unpack_from(header, word.size)
    pages: list[_Page] = []
    while offset and len(pages) <= _MAX_PAGES:
        (count,) = number.unpack(_read_at(file, offset, number.size))
        if count > _MAX_TAGS:
            raise ImageError(f"The TIFF is damaged: a page has {count} tags.")
        data = _read_at(file, offset + number.size, count * entry.size + word.size)
        pages.append(_Page(file, order, {tag[0]: tag[1:] for tag in entry.iter_unpack(data[: -word.size])}))
        (offset,) = word.unpack(data[-word.size :])
    full = [page for page in pages if not page.read(_SUBFILE, 0)[0] & 1]
    if len(full) != 1:
        raise ImageError(f"A TIFF must hold one image, beside smaller copies marked as such. Received: {len(full)}.")
    return full[0]


def _require_supported(page: _Page) -> int:
    """Return the compression, ImageError where a tag says what is not supported."""
    received = {code: page.read(code, default) for code, (_, default, _) in _ALLOWED.items()}
    wrong = [f"{name} {received[code][0]}" for code, (name, _, good) in _ALLOWED.items() if set(received[code]) - good]
    if received[_PHOTOMETRIC] == [_YCBCR] and received[_COMPRESSION] != [_JPEG]:
        wrong.append("YCbCr without JPEG")
    if wrong:
        raise ImageError(
            "A large TIFF must be upright, 8-bit RGB in one plane, uncompressed or by JPEG, deflate, LZW or PackBits. "
            f"Received: {', '.join(wrong)}."
        )
    return received[_COMPRESSION][0]


def _require_whole_jpeg(data: bytes, height: int, width: int) -> None:
    """Refuse what libtiff fills up with grey, and several scans. Noise that makes no marker cannot be told from pixels."""
    at, frame = 2, (0, 0)
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        if data[at + 1 : at + 2] in (b"\xc0", b"\xc1"):  # sequential frames
            frame = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    end = _JPEG_MARKER.search(data, at + 2)
    if end is None or end.group() != b"\xff\xd9" or frame[0] < height or frame[1] != width:
        raise ImageError("Its JPEG is cut short, damaged, progressive or of another size.")


def _unpack(data: bytes, height: int, width: int, page: _Page) -> _Rgb:
    """Unpack a tile or strip as the one strip of a TIFF that is made around it."""
    tags = ImageFileDirectory_v2(prefix=b"II")
    tags.update({_WIDTH: width, _HEIGHT: height, _BITS: (8, 8, 8), _SAMPLES: 3, _STRIP_HEIGHT: height})
    tags.update({code: page.read(code)[0] for code in (_COMPRESSION, _PHOTOMETRIC, _PREDICTOR) if code in page.fields})
    tags.update({_STRIP_OFFSETS: 0, _STRIP_BYTES: len(data)})  # Pillow counts the offset from the end of the tags
    if _TABLES in page.fields:
        tags[_TABLES] = bytes(page.read(_TABLES, max_count=_MAX_EXTRA_BYTES))
    file = io.BytesIO(b"II" + struct.pack("<HI", 42, 8) + tags.tobytes(8) + data)
    try:
        return np.array(TiffImageFile(file).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"It cannot be unpacked: {error}.") from error


def _read_at(file: IO[bytes], offset: int, n_bytes: int) -> bytes:
    if offset + n_bytes > os.fstat(file.fileno()).st_size:
        raise ImageError(f"The file is cut short: it has no {n_bytes:,} bytes at {offset:,}.")
    file.seek(offset)
    return file.read(n_bytes)
