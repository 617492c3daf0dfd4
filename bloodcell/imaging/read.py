"""Decode the bytes of an image file to an RGB array, and back; the only place where BGR order exists.

Allowed are JPEG, PNG, BMP and TIFF, recognised by content and never by name. The header is read first, so that an image
above `MAX_PIXELS`, `MAX_DECODED_BYTES` or `MAX_PIXEL_SCANS` is refused before a pixel is unpacked. Colour profiles are
ignored: two files with the same pixel values give the same array.
"""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from bloodcell.core.errors import ImageError

MAX_PIXELS: Final = 50_000_000
# As decoded, before it becomes 8-bit RGB; its conversion takes about four times that.
MAX_DECODED_BYTES: Final = 200_000_000
# Pixels times scans of a JPEG. Each scan visits every pixel: 0.35 ns were measured for one that changes none.
MAX_PIXEL_SCANS: Final = 2_000_000_000
MIN_SIDE_PX: Final = 16
ALLOWED_FORMATS: Final = ("JPEG", "PNG", "BMP", "TIFF")

# Pillow's file classes are called directly: `Image.open` applies its own size limit first, and does not say the size.
_SIGNATURES: Final[tuple[tuple[bytes, str, type[ImageFile]], ...]] = (
    (b"\xff\xd8\xff", "JPEG", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", "PNG", PngImageFile),
    (b"BM", "BMP", BmpImageFile),
    (b"II*\0", "TIFF", TiffImageFile),
    (b"MM\0*", "TIFF", TiffImageFile),
    (b"II+\0", "TIFF", TiffImageFile),  # BigTIFF
    (b"MM\0+", "TIFF", TiffImageFile),
)

# What Pillow and OpenCV raise on damaged bytes.
_DECODING_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)

# EXIF orientation -> (transpose first, flip rows, flip columns).
_ORIENTATIONS: Final = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}

_JPEG_END: Final = b"\xff\xd9"
_JPEG_SCAN: Final = b"\xff\xda"
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_BAND_ROWS: Final = 256
_TAG_BITS_PER_SAMPLE: Final = 258
_TAG_PHOTOMETRIC: Final = 262
_TAG_SAMPLES_PER_PIXEL: Final = 277
_TAG_SUBFILE_TYPE: Final = 254
_MAX_TIFF_PAGES_CHECKED: Final = 32

_warnings_lock = threading.Lock()


def read_rgb(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode one image.

    EXIF rotation is applied, transparency is blended over white, grey becomes three equal channels, CMYK becomes RGB. Of
    16-bit images the upper 8 bits remain, counted from the smallest of 8, 10, 12, 14 and 16 bits that holds their
    largest value, so that 12-bit camera data stored in 16 bits does not come out black.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        H and W at least `MIN_SIDE_PX`.

    Raises
    ------
    ImageError
        If the bytes are not JPEG, PNG, BMP or TIFF; are cut short or damaged; exceed `MAX_PIXELS`, `MAX_DECODED_BYTES`
        or `MAX_PIXEL_SCANS`; are smaller than `MIN_SIDE_PX`; contain several images (multi-page TIFF, animated PNG:
        using only the first page would lose cells silently); or contain 32-bit or floating-point values, whose white
        level is unknown.

    Examples
    --------
    >>> read_rgb(encode_png(np.full((16, 20, 3), 225, np.uint8))).shape
    (16, 20, 3)
    """
    image, kind, orientation = _open_image(data)
    try:
        if kind == "JPEG" and image.mode in ("RGB", "L") and data.endswith(_JPEG_END):
            rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
            if rgb is None:
                raise ImageError(f"The {kind} image is damaged and cannot be decoded.")
        else:
            rgb = _decode_strictly(image, kind, data)
    except _DECODING_ERRORS as error:
        raise ImageError(_describe_damage(kind, error)) from error
    return _orient(rgb, orientation)


def read_image_size(data: bytes) -> tuple[int, int]:
    """Read height and width in pixels, as `read_rgb` returns the image, from the header alone; ImageError likewise."""
    _, height, width = read_image_header(data)
    return height, width


def read_image_header(data: bytes) -> tuple[str, int, int]:
    """Read the format, one of `ALLOWED_FORMATS`, and `read_image_size` from the header alone; ImageError as `read_rgb`."""
    image, kind, orientation = _open_image(data)
    width, height = image.size
    return (kind, width, height) if _ORIENTATIONS[orientation][0] else (kind, height, width)


def read_image_format(data: bytes) -> str:
    """Recognise one of `ALLOWED_FORMATS` by the first bytes alone; ImageError for anything else."""
    return _match_signature(data)[0]


def encode_png(rgb: np.ndarray) -> bytes:
    """Encode a uint8 (H, W, 3) array as PNG, without loss; ImageError for any other array."""
    return _encode(rgb, ".png", [])


def encode_jpeg(rgb: np.ndarray, quality: int = 90) -> bytes:
    """Encode a uint8 (H, W, 3) array as JPEG of `quality` 1..100; ImageError for any other array."""
    if not 1 <= quality <= 100:
        raise ImageError(f"JPEG `quality` must be from 1 to 100. Received: {quality}.")
    return _encode(rgb, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def require_rgb(rgb: np.ndarray) -> None:
    """Raise ImageError unless `rgb` is a uint8 array of shape (H, W, 3) with at least one pixel."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ImageError(f"An RGB image must be uint8 of shape (H, W, 3). Received: {rgb.dtype} {rgb.shape}.")


def _encode(rgb: np.ndarray, suffix: str, options: list[int]) -> bytes:
    require_rgb(rgb)
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ImageError(f"The image of shape {rgb.shape} could not be written as {suffix[1:].upper()}.")
    return encoded.tobytes()


@contextmanager
def _silence_warnings() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata; the filters are global, hence the lock."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _match_signature(data: bytes) -> tuple[str, type[ImageFile]]:
    if not data:
        raise ImageError("The file is empty (0 bytes).")
    for start, kind, opener in _SIGNATURES:
        if data.startswith(start):
            return kind, opener
    raise ImageError(f"The file is not an image that Bloodcell can read. Allowed: {', '.join(ALLOWED_FORMATS)}.")


def _open_image(data: bytes) -> tuple[ImageFile, str, int]:
    """Read the header: the unread Pillow image, its format's name and its EXIF orientation."""
    kind, opener = _match_signature(data)
    try:
        with _silence_warnings():
            image = opener(io.BytesIO(data))
            _check_size(image)
            _check_work(image, kind, data)
            _check_single(image, kind)
            # Pillow rotates TIFF images itself while decoding, and its size is already that of the rotated image.
            orientation = 1 if kind == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODING_ERRORS as error:
        raise ImageError(_describe_damage(kind, error)) from error
    return image, kind, orientation if orientation in _ORIENTATIONS else 1


def _check_size(image: ImageFile) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"The image is too large: at most {MAX_PIXELS:,} pixels are allowed. "
            f"Received: {width} x {height} = {width * height:,}."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(
            f"The image is too small: each side must have at least {MIN_SIDE_PX} pixels. Received: {width} x {height}."
        )


def _check_work(image: ImageFile, kind: str, data: bytes) -> None:
    """Refuse what would take too much memory or time to decode, counted without decoding."""
    width, height = image.size
    n_bytes = (
        width * height * _count_channels(image, kind, data) * max(1, _get_bits_per_channel(image, kind, data) // 8)
    )
    if n_bytes > MAX_DECODED_BYTES:
        raise ImageError(
            f"The image is too large to decode: at most {MAX_DECODED_BYTES // 1_000_000} MB are allowed. Received: "
            f"{width} x {height} pixels = {n_bytes // 1_000_000} MB; save it with 8 bits per channel or fewer pixels."
        )
    n_scans = data.count(_JPEG_SCAN) if kind == "JPEG" else 1
    if width * height * n_scans > MAX_PIXEL_SCANS:
        raise ImageError(
            f"The JPEG would take too long to decode: at most {MAX_PIXEL_SCANS // (width * height):,} scans are allowed at "
            f"{width} x {height} pixels. Received: {n_scans:,}; save it again as a plain JPEG."
        )


def _check_single(image: ImageFile, kind: str) -> None:
    """Refuse several images in one file; reduced copies (thumbnails) beside the image do not count."""
    if kind == "PNG" and getattr(image, "is_animated", False):
        raise ImageError("The PNG is an animation; save the image to be read as a separate file.")
    if not isinstance(image, TiffImageFile):
        return
    for page in range(1, _MAX_TIFF_PAGES_CHECKED + 1):
        try:
            image.seek(page)
        except EOFError:
            break
        is_reduced = image.tag_v2.get(_TAG_SUBFILE_TYPE, 0) & 1
        if not is_reduced or page == _MAX_TIFF_PAGES_CHECKED:
            raise ImageError("The TIFF has several pages; save each page as a separate file.")
    image.seek(0)


def _describe_damage(kind: str, error: BaseException) -> str:
    if "truncated" in str(error).lower():
        return f"The {kind} image is cut short: the end of the file is missing."
    return f"The {kind} image is damaged and cannot be decoded."


def _decode_strictly(image: ImageFile, kind: str, data: bytes) -> npt.NDArray[np.uint8]:
    """Decode with Pillow, which refuses a file that ends early, where OpenCV would fill up with grey."""
    if isinstance(image, TiffImageFile):
        white_is_zero = image.tag_v2.get(_TAG_PHOTOMETRIC) == 0
        with _silence_warnings():
            image.load()
    else:
        white_is_zero = False
        image.load()
    if image.mode.startswith("I;16"):
        gray = _to_8_bit(np.asarray(image).astype(np.uint16))
        return np.repeat((255 - gray if white_is_zero else gray)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageError(
            f"The {kind} image has 32-bit values, whose white level is unknown; save it with 8 or 16 bits."
        )
    if _get_bits_per_channel(image, kind, data) == 16:
        return _decode_16_bit_colour(image, data)
    if image.has_transparency_data:
        return _blend_over_white(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _get_bits_per_channel(image: ImageFile, kind: str, data: bytes) -> int:
    if kind == "PNG":
        return data[24]  # IHDR: 8 signature + 8 chunk head + 4 width + 4 height
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(_TAG_BITS_PER_SAMPLE, (8,))))
    return 8


def _count_channels(image: ImageFile, kind: str, data: bytes) -> int:
    if kind == "PNG":
        return _PNG_CHANNELS.get(data[25], 4)
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_TAG_SAMPLES_PER_PIXEL, 1))
    return len(image.getbands())


def _decode_16_bit_colour(image: ImageFile, data: bytes) -> npt.NDArray[np.uint8]:
    """Decode with Pillow, which keeps the high byte, enough for a full-range image; a darker one needs all 16 bits."""
    high = np.asarray(image.convert("RGBA"))
    if high[..., :3].max() >= 1 << (14 - 8):
        return _blend_over_white(high)
    whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if whole is None or whole.dtype != np.uint16 or whole.shape[:2] != high.shape[:2] or whole.ndim != 3:
        raise ImageError("This kind of 16-bit image cannot be decoded; save it with 8 bits.")
    rgb = _to_8_bit(whole[..., 2::-1])
    return _blend_over_white(np.dstack([rgb, high[..., 3]]))


def _to_8_bit(values: np.ndarray) -> npt.NDArray[np.uint8]:
    """Keep the upper 8 bits of the smallest of 8, 10, 12, 14, 16 bits that holds the largest value."""
    largest = int(values.max())
    bits = next(bits for bits in (8, 10, 12, 14, 16) if largest < 1 << bits)
    return (values >> (bits - 8)).astype(np.uint8)


def _blend_over_white(rgba: np.ndarray) -> npt.NDArray[np.uint8]:
    """Blend uint8 (H, W, 4) over white, rounding to the nearest value; in bands, as it takes ten bytes a pixel."""
    rgb = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), _BAND_ROWS):
        band = rgba[top : top + _BAND_ROWS].astype(np.uint16)
        colour, alpha = band[..., :3], band[..., 3:]
        rgb[top : top + _BAND_ROWS] = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return rgb


def _orient(rgb: np.ndarray, orientation: int) -> npt.NDArray[np.uint8]:
    transposed, rows_flipped, columns_flipped = _ORIENTATIONS[orientation]
    if transposed:
        rgb = rgb.transpose(1, 0, 2)
    if rows_flipped:
        rgb = rgb[::-1]
    if columns_flipped:
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)
