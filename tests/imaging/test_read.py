import io
import struct
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from bloodcell.core.errors import ImageError
from bloodcell.imaging import read
from bloodcell.imaging.read import encode_jpeg, encode_png, read_image_size, read_rgb
from tests.places import SHARED_DATA

tifffile = pytest.importorskip("tifffile")

KAGGLE = SHARED_DATA / "kaggle-wbc" / "TEST_SIMPLE"


def picture(height_px: int = 40, width_px: int = 60, seed: int = 0) -> np.ndarray:
    """Smooth colours, so that JPEG keeps them close."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_LINEAR)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def png_header(width_px: int, height_px: int) -> bytes:
    """A PNG that promises a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# What comes out


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_same_pixels(kind):
    rgb = picture()
    assert np.array_equal(read_rgb(saved(Image.fromarray(rgb), kind)), rgb)


def test_jpeg_equals_pillow():
    data = saved(Image.fromarray(picture()), "JPEG", quality=95)
    assert np.array_equal(read_rgb(data), np.asarray(Image.open(io.BytesIO(data))))


def test_result_is_rgb_not_bgr():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    for data in (encode_png(red), encode_jpeg(red, quality=100)):
        assert read_rgb(data)[8, 8].tolist() == pytest.approx([255, 0, 0], abs=2)


def test_gray_becomes_three_equal_channels():
    gray = picture()[..., 0]
    for kind in ("PNG", "JPEG", "TIFF", "BMP"):
        rgb = read_rgb(saved(Image.fromarray(gray), kind))
        assert rgb.shape == (40, 60, 3)
        assert np.array_equal(rgb[..., 0], rgb[..., 2])


def test_black_and_white_bits_become_0_and_255():
    bits = np.zeros((16, 16), bool)
    bits[4:9] = True
    assert np.array_equal(read_rgb(saved(Image.fromarray(bits), "PNG"))[..., 1], bits * np.uint8(255))


def test_palette_is_looked_up():
    image = Image.fromarray(picture()).quantize(16)
    assert np.array_equal(read_rgb(saved(image, "PNG")), np.asarray(image.convert("RGB")))


def test_palette_with_a_transparent_colour_is_laid_over_white():
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((3, 5), 1)
    rgb = read_rgb(saved(image, "PNG", transparency=0))
    assert rgb[0, 0].tolist() == [255, 255, 255]
    assert rgb[5, 3].tolist() == [200, 0, 0]


def test_alpha_is_laid_over_white():  # (100 * 51 + 255 * 204 + 127) // 255 = (5100 + 52020 + 127) // 255 = 224
    rgba = np.full((16, 16, 4), (100, 0, 255, 51), np.uint8)
    assert read_rgb(saved(Image.fromarray(rgba), "PNG"))[0, 0].tolist() == [224, 204, 255]


def test_gray_with_alpha_is_laid_over_white():
    image = Image.merge("LA", (Image.new("L", (16, 16), 100), Image.new("L", (16, 16), 0)))
    assert read_rgb(saved(image, "PNG")).min() == 255


def test_cmyk_jpeg_becomes_rgb():
    image = Image.fromarray(picture()).convert("CMYK")
    data = saved(image, "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(read_rgb(data), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(Image.fromarray(picture()), kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(read_rgb(data), expected)
    assert read_image_size(data) == expected.shape[:2]


def test_unknown_exif_orientation_is_left_alone():
    exif = Image.Exif()
    exif[274] = 77
    assert read_image_size(saved(Image.fromarray(picture()), "JPEG", exif=exif)) == (40, 60)


def test_result_is_contiguous_and_writable():
    for data in (encode_jpeg(picture()), encode_png(picture()), saved(Image.fromarray(picture()), "TIFF")):
        rgb = read_rgb(data)
        assert rgb.flags.c_contiguous
        assert rgb.flags.writeable


# Sixteen bits


@pytest.mark.parametrize(
    ("largest", "shift"),
    [(255, 0), (256, 2), (1023, 2), (1024, 4), (4095, 4), (4096, 6), (16383, 6), (16384, 8), (65535, 8)],
)
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bits_are_scaled_by_the_smallest_depth_that_fits(largest, shift, colour, kind):
    values = np.zeros((20, 24, 3) if colour else (20, 24), np.uint16)
    values[4:9, 5:11] = largest
    values[12, 13] = largest // 2
    if kind == "tiff":
        data = tiff(values, photometric="rgb" if colour else "minisblack")
    else:
        data = cv2.imencode(".png", values[..., ::-1] if colour else values)[1].tobytes()
    rgb = read_rgb(data)
    assert rgb.dtype == np.uint8
    expected = values if colour else np.repeat(values[..., None], 3, axis=2)
    assert np.array_equal(rgb, expected >> shift)


def test_16_bit_channels_keep_their_order():
    values = np.zeros((16, 16, 3), np.uint16)
    values[:] = (4000, 2000, 1000)
    for data in (tiff(values, photometric="rgb"), cv2.imencode(".png", values[..., ::-1])[1].tobytes()):
        assert read_rgb(data)[0, 0].tolist() == [250, 125, 62]


def test_16_bit_alpha_is_laid_over_white():
    values = np.full((16, 16, 4), (60000, 0, 0, 0), np.uint16)
    assert read_rgb(cv2.imencode(".png", values)[1].tobytes()).min() == 255


def test_white_is_zero_tiff_is_turned_around():
    values = np.full((16, 16), 65535, np.uint16)
    assert read_rgb(tiff(values, photometric="miniswhite")).max() == 0
    assert read_rgb(tiff(values.astype(np.uint8) * 0 + np.uint8(200), photometric="miniswhite")).max() == 55


def test_16_bit_orientation_is_applied():
    values = np.zeros((20, 30), np.uint16)
    values[0, :] = 65535
    data = tiff(values, photometric="minisblack", extratags=[(274, "H", 1, 6, True)])  # a quarter turn right
    rgb = read_rgb(data)
    assert rgb.shape == (30, 20, 3)
    assert rgb[:, -1].min() == 255


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint32])
def test_32_bit_values_are_refused(dtype):
    with pytest.raises(ImageError, match="TIFF image has 32-bit values, whose white level is unknown"):
        read_rgb(tiff(np.ones((20, 20), dtype)))


def test_16_bit_kind_that_opencv_cannot_read(monkeypatch):
    values = np.full((16, 16, 3), 1000, np.uint16)
    data = tiff(values, photometric="rgb")
    monkeypatch.setattr(read.cv2, "imdecode", lambda *args: None)
    with pytest.raises(ImageError, match="This kind of 16-bit image cannot be decoded"):
        read_rgb(data)


# What is refused


@pytest.mark.parametrize("read_it", [read_rgb, read_image_size])
def test_empty_file(read_it):
    with pytest.raises(ImageError, match=r"The file is empty \(0 bytes\)"):
        read_it(b"")


@pytest.mark.parametrize("data", [b"hello, this is text", b"GIF89a" + bytes(50), b"%PDF-1.4", b"PK\x03\x04", b"\xff"])
def test_other_content_names_what_is_allowed(data):
    with pytest.raises(ImageError, match=r"not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF"):
        read_rgb(data)


def test_huge_picture_is_refused_from_its_header():
    sentence = r"too large: at most 50,000,000 pixels are allowed. Received: 20000 x 20000 = 400,000,000"
    with pytest.raises(ImageError, match=sentence):
        read_rgb(png_header(20_000, 20_000))
    with pytest.raises(ImageError, match=sentence):
        read_image_size(png_header(20_000, 20_000))


def add_scans(jpeg: bytes, n_scans: int) -> bytes:
    """Repeat the last scan of a progressive JPEG."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * (n_scans - jpeg.count(b"\xff\xda")) + b"\xff\xd9"


@pytest.mark.parametrize("read_it", [read_rgb, read_image_size])
def test_a_jpeg_of_endless_scans_is_refused_before_decoding(read_it):  # 2,000,000,000 // (7000 * 7000) = 40
    plain = saved(Image.new("RGB", (7000, 7000), (200, 200, 200)), "JPEG", progressive=True)
    assert read_image_size(plain) == (7000, 7000)
    with pytest.raises(ImageError, match=r"at most 40 scans are allowed at 7000 x 7000 pixels\. Received: 2,000;"):
        read_it(add_scans(plain, 2000))


def test_a_small_jpeg_may_have_many_scans():
    rgb = np.full((64, 64, 3), 200, np.uint8)
    assert np.array_equal(read_rgb(add_scans(saved(Image.fromarray(rgb), "JPEG", progressive=True), 100)), rgb)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("read_it", [read_rgb, read_image_size])
def test_a_deep_picture_is_refused_by_the_bytes_it_takes(read_it, kind):  # 7000 * 7000 * 4 * 2 = 392,000,000
    values = np.zeros((7000, 7000, 4), np.uint16)
    if kind == "PNG":
        data = cv2.imencode(".png", values)[1].tobytes()
    else:
        data = tiff(values, compression="zlib", photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(ImageError, match=r"at most 200 MB are allowed\. Received: 7000 x 7000 pixels = 392 MB;"):
        read_it(data)


def test_blending_does_not_see_its_bands(monkeypatch):
    rgba = np.random.default_rng(0).integers(0, 256, (700, 30, 4), dtype=np.uint8)
    data = saved(Image.fromarray(rgba), "PNG")
    in_bands = read_rgb(data)
    monkeypatch.setattr(read, "_BAND_ROWS", 1000)
    assert np.array_equal(in_bands, read_rgb(data))


def test_size_limit_is_inclusive(monkeypatch):
    monkeypatch.setattr(read, "MAX_PIXELS", 40 * 60)
    assert read_rgb(encode_png(picture(40, 60))).shape == (40, 60, 3)
    with pytest.raises(ImageError, match=r"2,400 pixels are allowed. Received: 61 x 40 = 2,440"):
        read_rgb(encode_png(picture(40, 61)))


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (15, 100), (100, 15)])
def test_small_picture_names_the_least_side(height_px, width_px):
    with pytest.raises(ImageError, match=f"at least 16 pixels. Received: {width_px} x {height_px}"):
        read_rgb(encode_png(picture(height_px, width_px)))


def test_smallest_picture_allowed():
    assert read_rgb(encode_png(picture(16, 16))).shape == (16, 16, 3)


def test_all_black_picture_is_read():
    assert read_rgb(encode_jpeg(np.zeros((240, 320, 3), np.uint8))).max() == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_jpeg_cut_short_is_refused(share, progressive):
    rgb = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    data = saved(Image.fromarray(rgb), "JPEG", progressive=progressive)
    with pytest.raises(ImageError, match=r"JPEG image is (cut short|damaged)"):
        read_rgb(data[: int(len(data) * share)])


def test_jpeg_with_bytes_after_its_end_is_read():
    data = encode_jpeg(picture())
    assert np.array_equal(read_rgb(data + b"\0" * 100), read_rgb(data))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_other_formats_cut_short_are_refused(kind):
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)), kind)
    with pytest.raises(ImageError, match=f"{kind} image is (cut short|damaged)"):
        read_rgb(data[: len(data) // 2])


def test_jpeg_without_a_picture_is_damaged():
    for data in (b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9"):
        with pytest.raises(ImageError, match="JPEG image is damaged"):
            read_rgb(data)


def test_jpeg_that_opencv_gives_up_on_is_damaged(monkeypatch):
    data = encode_jpeg(picture())
    monkeypatch.setattr(read.cv2, "imdecode", lambda *args: None)
    with pytest.raises(ImageError, match="JPEG image is damaged and cannot be decoded"):
        read_rgb(data)


def test_several_pages_are_refused():
    with pytest.raises(ImageError, match="TIFF has several pages; save each page as a separate file"):
        read_rgb(tiff(np.zeros((3, 20, 20), np.uint8), photometric="minisblack"))


def test_thumbnail_beside_the_picture_is_no_page():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(picture(40, 60), photometric="rgb")
        writer.write(picture(20, 30), photometric="rgb", subfiletype=1)
    assert np.array_equal(read_rgb(buffer.getvalue()), picture(40, 60))


def test_endless_thumbnails_are_refused():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in range(40):
            writer.write(picture(16, 16), photometric="rgb", subfiletype=min(page, 1))
    with pytest.raises(ImageError, match="several pages"):
        read_rgb(buffer.getvalue())


def test_animated_png_is_refused():
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    with pytest.raises(ImageError, match="PNG is an animation"):
        read_rgb(saved(frames[0], "PNG", save_all=True, append_images=frames[1:]))


# Writing


def test_png_keeps_every_pixel():
    assert np.array_equal(read_rgb(encode_png(picture())), picture())


def test_jpeg_of_high_quality_is_close():
    assert np.abs(read_rgb(encode_jpeg(picture(), quality=98)).astype(int) - picture()).mean() < 2


def test_encoding_a_view_gives_the_pixels_of_the_view():
    assert np.array_equal(read_rgb(encode_png(picture()[:, ::-2])), picture()[:, ::-2])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_only_rgb_is_written(wrong):
    for encode in (encode_png, encode_jpeg):
        with pytest.raises(ImageError, match=r"must be uint8 of shape \(H, W, 3\). Received: "):
            encode(wrong)


@pytest.mark.parametrize("quality", [0, 101])
def test_jpeg_quality_is_checked(quality):
    with pytest.raises(ImageError, match=f"`quality` must be from 1 to 100. Received: {quality}"):
        encode_jpeg(picture(), quality=quality)


def test_encoder_that_refuses(monkeypatch):
    monkeypatch.setattr(read.cv2, "imencode", lambda *args: (False, None))
    with pytest.raises(ImageError, match="could not be written as PNG"):
        encode_png(picture())


# Properties

STARTS = [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"II+\0"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_arbitrary_bytes_raise_image_errors_only(start, rest):
    for read_it in (read_rgb, read_image_size):
        with suppress(ImageError):
            read_it(start + rest)


WHOLE = [
    encode_jpeg(picture()),
    saved(Image.fromarray(picture()), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0"),
    encode_png(picture()),
    saved(Image.fromarray(picture()).quantize(8), "PNG", transparency=0),
    saved(Image.fromarray(picture()), "BMP"),
    tiff(picture(), photometric="rgb", compression="zlib"),
    tiff(picture().astype(np.uint16) * 16, photometric="rgb"),
    saved(Image.fromarray(picture()), "TIFF", compression="tiff_lzw"),
]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_damaged_files_raise_image_errors_only(whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageError):
        rgb = read_rgb(bytes(damaged))
        assert rgb.dtype == np.uint8
        assert rgb.shape == (*read_image_size(bytes(damaged)), 3)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(16, 24), st.integers(16, 24), st.just(3))),
    st.sampled_from(["PNG", "BMP", "TIFF"]),
)
def test_any_small_array_reads_back_equal(rgb, kind):
    data = saved(Image.fromarray(rgb), kind)
    assert np.array_equal(read_rgb(data), rgb)
    assert read_image_size(data) == rgb.shape[:2]


@pytest.mark.data
@pytest.mark.skipif(not KAGGLE.exists(), reason="../shared/data/kaggle-wbc is absent")
def test_real_jpegs_equal_pillow():
    for path in sorted(KAGGLE.rglob("*.jpeg"))[:10]:
        with Image.open(path) as image:
            assert np.array_equal(read_rgb(path.read_bytes()), np.asarray(image.convert("RGB")))
