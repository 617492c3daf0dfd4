import io
import os
import struct
import types
import zlib
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bloodcell.core.errors import ImageError
from bloodcell.imaging import large_image
from bloodcell.imaging.large_image import DamagedTile, open_large_image
from bloodcell.imaging.read import read_rgb

tifffile = pytest.importorskip("tifffile")

HEIGHT, WIDTH = 150, 210  # neither is a multiple of a tile
JPEG_TAG, YCBCR_TAG = 7, 6


def image(height_px: int = HEIGHT, width_px: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Smooth colours, so that JPEG keeps them close."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_LINEAR)


def written(folder: Path, rgb: np.ndarray, **options: object) -> Path:
    path = folder / "image.tif"
    tifffile.imwrite(path, rgb, **({"photometric": "rgb"} | options))
    return path


def opened_whole(path: Path) -> np.ndarray:
    with open_large_image(path) as large:
        rgb = large.read_region(0, 0, large.height_px, large.width_px)
        assert large.problems == []
    return rgb


def jpeg(rgb: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", **({"quality": 95} | options))
    return buffer.getvalue()


def jpeg_tiles(folder: Path, rgb: np.ndarray, change=lambda number, data: data, **options: object) -> Path:
    """A TIFF of JPEG tiles of 64 px. tifffile writes JPEG with imagecodecs alone, so ready tiles are given to it as
    deflated ones, and the tags are put right afterwards."""

    def tiles():
        tops, lefts = range(0, rgb.shape[0], 64), range(0, rgb.shape[1], 64)
        for number, (top, left) in enumerate((top, left) for top in tops for left in lefts):
            tile = np.zeros((64, 64, 3), np.uint8)
            part = rgb[top : top + 64, left : left + 64]
            tile[: part.shape[0], : part.shape[1]] = part
            yield change(number, jpeg(tile, **options))

    path = folder / "jpeg.tif"
    layout = {"shape": rgb.shape, "dtype": np.uint8, "tile": (64, 64), "photometric": "rgb"}
    tifffile.imwrite(path, tiles(), **layout, compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags[259].overwrite(JPEG_TAG)
        tiff.pages[0].tags[262].overwrite(YCBCR_TAG)
    return path


def overwrite_tile(path: Path, number: int, data: bytes | None = None) -> None:
    """Put other bytes into the middle of a tile or strip."""
    with tifffile.TiffFile(path) as tiff:
        offset, size = tiff.pages[0].dataoffsets[number], tiff.pages[0].databytecounts[number]
    if data is None:
        data = np.random.default_rng(5).integers(0, 256, size // 2, dtype=np.uint8).tobytes()
    with path.open("r+b") as file:
        file.seek(offset + size // 4)
        file.write(data)


def overwrite_tag(path: Path, code: int, value: object) -> None:
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags[code].overwrite(value)


# What comes out


LAYOUTS = {
    "raw, one strip": {},
    "raw, strips": {"rowsperstrip": 32},
    "raw, tiles": {"tile": (48, 64)},
    "deflate, strips": {"compression": "zlib", "rowsperstrip": 32},
    "deflate, tiles": {"compression": "zlib", "tile": (48, 64)},
    "deflate with predictor, tiles": {"compression": "zlib", "predictor": True, "tile": (48, 64)},
    "deflate, strips of one row": {"compression": "zlib", "rowsperstrip": 1},
    "one tile, larger than the image": {"compression": "zlib", "tile": (256, 256)},
    "big-endian": {"byteorder": ">", "tile": (48, 64), "compression": "zlib"},
    "BigTIFF": {"bigtiff": True, "tile": (48, 64), "compression": "zlib"},
    "big-endian BigTIFF": {"bigtiff": True, "byteorder": ">", "rowsperstrip": 20},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_pixels(tmp_path, layout):
    assert np.array_equal(opened_whole(written(tmp_path, image(), **LAYOUTS[layout])), image())


def test_the_last_rows_of_a_wide_raw_image_are_read(tmp_path):
    rgb = image(130, 1000)  # in strips of 64, 64 and 2 rows
    assert np.array_equal(opened_whole(written(tmp_path, rgb)), rgb)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
def test_what_pillow_compresses_gives_the_pixels(tmp_path, compression):
    path = tmp_path / "image.tif"
    Image.fromarray(image()).save(path, compression=compression)
    assert np.array_equal(opened_whole(path), image())


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 60}])
def test_jpeg_tiles_give_what_pillow_makes_of_them(tmp_path, options):
    rgb = image(128, 192)  # 2 x 3 tiles
    expected = np.empty_like(rgb)
    for top, left in ((top, left) for top in (0, 64) for left in (0, 64, 128)):
        tile = jpeg(np.ascontiguousarray(rgb[top : top + 64, left : left + 64]), **options)
        expected[top : top + 64, left : left + 64] = np.array(Image.open(io.BytesIO(tile)))
    assert np.array_equal(opened_whole(jpeg_tiles(tmp_path, rgb, **options)), expected)


def test_jpeg_strips_with_shared_tables_give_what_read_rgb_gives(tmp_path):
    path = tmp_path / "image.tif"
    Image.fromarray(image(300, 210)).save(path, compression="jpeg", quality=90)
    with tifffile.TiffFile(path) as tiff:
        assert 347 in tiff.pages[0].tags  # JPEGTables
        assert len(tiff.pages[0].dataoffsets) > 1
    assert np.array_equal(opened_whole(path), read_rgb(path.read_bytes()))


@pytest.mark.parametrize("options", [{"compression": "lzw", "predictor": True}, {"compression": "jpeg"}])
def test_tiles_that_tifffile_compresses_give_what_tifffile_reads(tmp_path, options):
    pytest.importorskip("imagecodecs")
    path = written(tmp_path, image(), tile=(64, 64), **options)
    assert np.abs(opened_whole(path).astype(int) - tifffile.imread(path)).max() <= 2  # rounding of chroma


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_other_formats_go_through_read_rgb(tmp_path, kind):
    path = tmp_path / "image.bin"
    Image.fromarray(image()).save(path, kind)
    with open_large_image(path) as large:
        assert (large.height_px, large.width_px) == (HEIGHT, WIDTH)
        assert np.array_equal(large.read_region(20, 30, 50, 90), read_rgb(path.read_bytes())[20:50, 30:90])


@pytest.mark.parametrize("n_levels", [1, 2])
def test_of_a_pyramid_in_subifds_the_full_level_is_read(tmp_path, n_levels):
    path, rgb = tmp_path / "pyramid.tif", image()
    options = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb, subifds=n_levels, **options)
        for level in range(1, n_levels + 1):
            tiff.write(rgb[:: 2**level, :: 2**level], subfiletype=1, **options)
    assert np.array_equal(opened_whole(path), rgb)


def test_of_a_pyramid_in_pages_the_full_level_is_read_wherever_it_stands(tmp_path):
    path, rgb = tmp_path / "pyramid.tif", image()
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(rgb[::4, ::4], subfiletype=1, photometric="rgb")
        tiff.write(rgb, photometric="rgb", tile=(32, 32))
        tiff.write(rgb[::2, ::2], subfiletype=1, photometric="rgb")
    assert np.array_equal(opened_whole(path), rgb)


# Regions


@pytest.fixture(scope="module")
def open_layouts(tmp_path_factory):
    """Open images of the same pixels, in tiles, packed strips, raw strips."""
    layouts = ({"tile": (32, 48), "compression": "zlib"}, {"rowsperstrip": 17, "compression": "zlib"}, {})
    folders = [tmp_path_factory.mktemp("layout") for _ in layouts]
    images = [
        open_large_image(written(folder, image(), **options)) for folder, options in zip(folders, layouts, strict=True)
    ]
    yield images
    for large in images:
        large.close()


@settings(max_examples=150)
@given(st.data())
def test_a_region_is_the_slice_of_the_whole(open_layouts, data):
    large = open_layouts[data.draw(st.integers(0, len(open_layouts) - 1))]
    top, left = data.draw(st.integers(0, HEIGHT - 1)), data.draw(st.integers(0, WIDTH - 1))
    bottom, right = data.draw(st.integers(top + 1, HEIGHT)), data.draw(st.integers(left + 1, WIDTH))
    assert np.array_equal(large.read_region(top, left, bottom, right), image()[top:bottom, left:right])


@pytest.mark.parametrize(
    "region",
    [(0, 0, 1, 1), (149, 209, 150, 210), (0, 209, 150, 210), (149, 0, 150, 210), (31, 47, 33, 49), (32, 48, 64, 96)],
)
def test_regions_at_edges_and_seams_are_exact(open_layouts, region):
    top, left, bottom, right = region
    for large in open_layouts:
        assert np.array_equal(large.read_region(*region), image()[top:bottom, left:right])


@pytest.mark.parametrize(
    "region",
    [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 151, 5), (0, 0, 5, 211), (5, 5, 5, 9), (9, 5, 5, 9), (150, 0, 151, 5)],
)
def test_a_region_outside_or_without_pixels_is_an_error(open_layouts, region):
    for large in open_layouts:
        with pytest.raises(ImageError, match=r"has 150 rows and 210 columns\. Received: rows"):
            large.read_region(*region)


def test_a_region_of_too_many_pixels_is_an_error(open_layouts, monkeypatch):
    monkeypatch.setattr(large_image, "MAX_PIXELS", 100)
    assert open_layouts[0].read_region(0, 0, 10, 10).shape == (10, 10, 3)
    with pytest.raises(ImageError, match=r"must hold 1 to 100 pixels .* Received: rows 0 to 10, columns 0 to 11"):
        open_layouts[0].read_region(0, 0, 10, 11)


def test_only_the_tiles_that_a_region_needs_are_read_and_once(tmp_path, monkeypatch):
    n_unpacked = []
    unpack = large_image._unpack
    monkeypatch.setattr(large_image, "_unpack", lambda *values: n_unpacked.append(1) or unpack(*values))
    with open_large_image(written(tmp_path, image(), tile=(32, 48), compression="zlib")) as large:
        large.read_region(0, 0, 32, 48)
        assert len(n_unpacked) == 1
        large.read_region(20, 40, 40, 60)  # the four tiles about (32, 48), one of which is there already
        assert len(n_unpacked) == 4


def test_unpacked_tiles_are_forgotten_when_there_are_too_many(tmp_path, monkeypatch):
    n_unpacked = []
    unpack = large_image._unpack
    monkeypatch.setattr(large_image, "_unpack", lambda *values: n_unpacked.append(1) or unpack(*values))
    monkeypatch.setattr(large_image, "CACHE_BYTES", 2 * 3 * 32 * 48)  # two tiles
    with open_large_image(written(tmp_path, image(), tile=(32, 48), compression="zlib")) as large:
        for left in (0, 48, 96, 0):
            large.read_region(0, left, 32, left + 48)
    assert len(n_unpacked) == 4


def test_a_raw_strip_as_large_as_the_image_is_read_in_parts(tmp_path, monkeypatch):
    sizes = []
    read_at = large_image._read_at
    monkeypatch.setattr(large_image, "_read_at", lambda file, at, n: sizes.append(n) or read_at(file, at, n))
    with open_large_image(written(tmp_path, image())) as large:
        sizes.clear()
        large.read_region(0, 0, 10, 10)
    assert sizes == [64 * WIDTH * 3]


# Damage


def damaged_copy(rgb: np.ndarray, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    copy = rgb.copy()
    copy[top:bottom, left:right] = 255
    return copy


def test_a_damaged_tile_is_white_and_reported_once_and_the_rest_goes_on(tmp_path):
    path = written(tmp_path, image(), tile=(64, 64), compression="zlib")
    overwrite_tile(path, 5)  # 4 tiles a row: row 1, column 1
    with open_large_image(path) as large:
        for _ in range(2):
            rgb = large.read_region(0, 0, HEIGHT, WIDTH)
            assert np.array_equal(rgb, damaged_copy(image(), 64, 64, 128, 128))
        (problem,) = large.problems
        assert problem[:4] == (64, 64, 64, 64)
        assert problem.reason.startswith("It cannot be unpacked")


def test_a_damaged_tile_at_the_edge_is_reported_as_large_as_it_is_in_the_image(tmp_path):
    path = written(tmp_path, image(), tile=(64, 64), compression="zlib")
    overwrite_tile(path, 11)  # the last one: rows 128 to 150, columns 192 to 210
    with open_large_image(path) as large:
        rgb = large.read_region(0, 0, HEIGHT, WIDTH)
        assert large.problems[0][:4] == (128, 192, 22, 18)
    assert np.array_equal(rgb, damaged_copy(image(), 128, 192, HEIGHT, WIDTH))


def test_damage_outside_the_region_is_not_seen(tmp_path):
    path = written(tmp_path, image(), tile=(64, 64), compression="zlib")
    overwrite_tile(path, 5)
    with open_large_image(path) as large:
        assert np.array_equal(large.read_region(0, 0, 64, WIDTH), image()[:64])
        assert large.problems == []


def test_a_damaged_strip_is_white(tmp_path):
    path = written(tmp_path, image(), rowsperstrip=40, compression="zlib")
    overwrite_tile(path, 1)
    with open_large_image(path) as large:
        assert np.array_equal(large.read_region(0, 0, HEIGHT, WIDTH), damaged_copy(image(), 40, 0, 80, WIDTH))
        assert large.problems[0][:4] == (40, 0, 40, WIDTH)


def test_a_raw_file_that_is_cut_short_loses_its_last_rows_alone(tmp_path):
    path = written(tmp_path, image())
    os.truncate(path, path.stat().st_size - 3 * WIDTH * 5)  # 5 rows; read as strips of 64, 64 and 22 rows
    with open_large_image(path) as large:
        rgb = large.read_region(0, 0, HEIGHT, WIDTH)
        assert large.problems[0][:4] == (128, 0, 22, WIDTH)
        assert "cut short" in large.problems[0].reason
    assert np.array_equal(rgb, damaged_copy(image(), 128, 0, HEIGHT, WIDTH))


def cut_jpeg(data: bytes) -> bytes:
    return data[: len(data) // 2]


def noise_in_jpeg(data: bytes) -> bytes:
    """What 4,096 bytes of noise nearly always hold, a marker: 1 - (255 / 256) ** 4096 = 0.9999999."""
    return data[: len(data) - 100] + b"\xff\x3f" + data[len(data) - 98 :]


@pytest.mark.parametrize(
    "change",
    [
        cut_jpeg,
        noise_in_jpeg,
        lambda data: b"",
        lambda data: bytes(len(data)),
        lambda data: b"\xff\xd8" + data[2:100],
        lambda data: jpeg(image(32, 64)),
        lambda data: jpeg(image(64, 32)),
        lambda data: jpeg(image(64, 128)),
        lambda data: jpeg(image(64, 64)[..., 0]),
        lambda data: jpeg(image(64, 64), progressive=True),
        lambda data: data + bytes(100_000),
    ],
    ids=["cut", "noise", "empty", "zeros", "header", "low", "narrow", "wide", "grey", "progressive", "too long"],
)
def test_a_jpeg_tile_that_is_not_whole_is_white_and_not_grey(tmp_path, change):
    rgb = image(128, 128)
    path = jpeg_tiles(tmp_path, rgb, change=lambda number, data: change(data) if number == 2 else data)
    with open_large_image(path) as large:
        read = large.read_region(0, 0, 128, 128)
        assert [problem[:4] for problem in large.problems] == [(64, 0, 64, 64)]
    assert (read[64:, :64] == 255).all()
    assert np.abs(read[:64].astype(int) - rgb[:64]).mean() < 4


def test_a_compressed_tile_that_would_swell_is_unpacked_no_further_than_its_size(tmp_path):
    """100 MB of zeros in a tile of 12 kB; the tags promise 64 x 64 x 3 bytes, and no more are made."""
    swelling = zlib.compress(bytes(100_000_000), 9)[:12_000]
    path = tmp_path / "swelling.tif"
    layout = {"shape": (64, 64, 3), "dtype": np.uint8, "tile": (64, 64), "photometric": "rgb"}
    tifffile.imwrite(path, iter([swelling]), compression="zlib", **layout)
    with open_large_image(path) as large:
        assert not large.read_region(0, 0, 64, 64).any()


def test_a_tile_that_was_never_written_is_reported(tmp_path):
    path = written(tmp_path, image(), tile=(64, 64))
    with tifffile.TiffFile(path) as tiff:
        offsets, sizes = list(tiff.pages[0].dataoffsets), list(tiff.pages[0].databytecounts)
    offsets[3] = sizes[3] = 0
    overwrite_tag(path, 324, offsets)
    overwrite_tag(path, 325, sizes)
    with open_large_image(path) as large:
        large.read_region(0, 0, HEIGHT, WIDTH)
        assert large.problems == [
            DamagedTile(0, 192, 64, 18, "It must hold 12,288 bytes of pixels. Received: 0.")  # 64 x 64 x 3
        ]


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_no_damage_gives_any_other_error(tmp_path_factory, seed, n_changes):
    """Bytes anywhere in the file are changed, tags and offsets more often than pixels."""
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.getbasetemp()
    options = [{"tile": (32, 32), "compression": "zlib"}, {"rowsperstrip": 16}, {"bigtiff": True, "tile": (16, 32)}]
    data = bytearray(written(folder, image(64, 96), **options[seed % 3]).read_bytes())
    for _ in range(n_changes):
        data[rng.integers(0, 400 if rng.random() < 0.7 else len(data))] = rng.integers(0, 256)
    path = folder / "changed.tif"
    path.write_bytes(data)
    try:
        with open_large_image(path) as large:
            bottom, right = min(large.height_px, 300), min(large.width_px, 300)
            assert large.read_region(0, 0, bottom, right).shape == (bottom, right, 3)
    except ImageError as error:
        assert str(error).endswith(".")  # noqa: PT017


# What is refused


@pytest.mark.parametrize(
    ("values", "options", "received"),
    [
        (image().astype(np.uint16) * 257, {}, "bits per channel 16"),
        (image()[..., 0], {"photometric": "minisblack"}, "channels 1, photometric 1"),
        (image()[..., 0], {"photometric": "miniswhite"}, "channels 1, photometric 0"),
        (image(), {"photometric": "minisblack", "planarconfig": "contig"}, "photometric 1"),
        (np.moveaxis(image(), 2, 0), {"planarconfig": "separate"}, "planar configuration 2"),
        (np.dstack([image(), image()[..., 0]]), {}, "channels 4"),
        (image().astype(np.float32), {}, "bits per channel 32, sample format 3"),
        (image().astype(np.int8), {}, "sample format 2"),
        (image(), {"extratags": [(274, 3, 1, 6, True)]}, "orientation 6"),
        (image(), {"compression": "lzma"}, "compression 34925"),
    ],
)
def test_other_pixels_than_8_bit_rgb_are_refused_with_what_came(tmp_path, values, options, received):
    path = written(tmp_path, values, **options)
    with pytest.raises(ImageError, match=rf"must be upright, 8-bit RGB .* Received: {received}\."):
        open_large_image(path)


def test_ycbcr_without_jpeg_is_refused(tmp_path):
    path = written(tmp_path, image())
    overwrite_tag(path, 262, YCBCR_TAG)
    with pytest.raises(ImageError, match=r"Received: YCbCr without JPEG\."):
        open_large_image(path)


@pytest.mark.parametrize(("height_px", "width_px"), [(20_001, 16), (16, 20_001), (15, 100), (100, 15)])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_sides_out_of_range_are_refused(tmp_path, height_px, width_px, suffix):
    path = tmp_path / f"image{suffix}"
    Image.fromarray(np.zeros((height_px, width_px, 3), np.uint8)).save(path)
    with pytest.raises(ImageError, match=rf"Received: {width_px} x {height_px}"):
        open_large_image(path)


def test_the_largest_side_is_read(tmp_path):
    rgb = image(20_000, 16)
    assert np.array_equal(opened_whole(written(tmp_path, rgb, tile=(64, 64), compression="zlib")), rgb)


def test_a_compressed_strip_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(large_image, "MAX_TILE_PX", 210 * 100)
    assert opened_whole(written(tmp_path, image(), compression="zlib", rowsperstrip=100)).shape == (HEIGHT, WIDTH, 3)
    path = written(tmp_path, image(), compression="zlib", rowsperstrip=101)
    with pytest.raises(ImageError, match=r"may have 21,000 pixels\. Received: 210 x 101 px\."):
        open_large_image(path)


def test_a_file_that_is_read_whole_may_not_be_too_large(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    Image.fromarray(image()).save(path)
    monkeypatch.setattr(large_image, "_MAX_FILE_BYTES", 1000)
    with pytest.raises(ImageError, match=r"Only a TIFF may have more than 1,000 bytes\. Received: "):
        open_large_image(path)


def test_several_images_in_one_tiff_are_refused(tmp_path):
    path = written(tmp_path, np.stack([image(), image(seed=1)]))
    with pytest.raises(ImageError, match=r"one image, beside smaller copies marked as such\. Received: 2\."):
        open_large_image(path)


def test_a_tiff_of_reduced_copies_alone_is_refused(tmp_path):
    path = written(tmp_path, image(), subfiletype=1)
    with pytest.raises(ImageError, match=r"Received: 0\."):
        open_large_image(path)


def test_pages_that_follow_one_another_in_a_circle_are_refused(tmp_path):
    path = written(tmp_path, image())
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (n_tags,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * n_tags, start)  # the next page is this one
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"must hold one image, .* Received: 33\."):
        open_large_image(path)


@pytest.mark.parametrize("count", [1, 11, 13, 10_000_000])
def test_a_number_of_tiles_that_is_not_that_of_the_image_is_refused(tmp_path, count):
    """Of 3 x 4 tiles; that many offsets are not even read."""
    path = written(tmp_path, image(), tile=(64, 64))
    overwrite_tag(path, 324, [8] * min(count, 100))
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages[0].tags[324].offset
    with path.open("r+b") as file:
        file.seek(at + 4)
        file.write(struct.pack("<I", count))
    with pytest.raises(ImageError, match=r"The TIFF is damaged: (it names|its tag 324 has)"):
        open_large_image(path)


@pytest.mark.parametrize(("code", "value"), [(322, 0), (323, 0), (322, 8)])
def test_tiles_without_a_side_are_refused(tmp_path, code, value):
    path = written(tmp_path, image(), tile=(64, 64))
    overwrite_tag(path, code, value)
    with pytest.raises(ImageError, match=r"The TIFF is damaged: its tiles have"):
        open_large_image(path)


def test_too_many_tags_are_refused(tmp_path):
    path = tmp_path / "tags.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, 60_000) + bytes(100))
    with pytest.raises(ImageError, match=r"The TIFF is damaged: a page has 60000 tags\."):
        open_large_image(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"GIF89a" + bytes(100), "not an image that Bloodcell can read"),
        (b"II*\0", "cut short"),
        (b"II*\0" + struct.pack("<I", 5000) + bytes(20), "cut short"),
        (b"II*\0" + bytes(20), r"Received: 0\."),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, data, message):
    path = tmp_path / "image.tif"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message):
        open_large_image(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match=r"The image file none\.tif cannot be read: No such file or directory\."):
        open_large_image(tmp_path / "none.tif")


def test_an_image_that_is_opened_in_vain_leaves_no_open_file(tmp_path, monkeypatch):
    files = []
    open_path = Path.open
    path = tmp_path / "image.tif"
    path.write_bytes(b"II*\0" + bytes(20))
    monkeypatch.setattr(Path, "open", lambda self, *values: files.append(open_path(self, *values)) or files[-1])
    with pytest.raises(ImageError):
        open_large_image(path)
    assert [file.closed for file in files] == [True]


def test_a_disk_that_fails_is_an_error_and_no_damage(tmp_path, monkeypatch):
    with open_large_image(written(tmp_path, image(), tile=(64, 64))) as large:

        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(large_image, "_read_at", fail)
        with pytest.raises(ImageError, match=r"The image file can no longer be read: .*Input/output error\."):
            large.read_region(0, 0, 10, 10)
        assert large.problems == []


# Slides


class StandInSlide:
    """What OpenSlide does with a slide: RGBA, transparent where nothing was scanned; no answer after an error."""

    size, damaged_at = (700, 600), None
    n_closed = 0

    def __init__(self, path):
        if Path(path).read_bytes() != b"slide":
            raise StandInSlide.Error("Unsupported or missing image file")
        self.dimensions = self.size
        self.has_failed = False

    class Error(Exception):
        pass

    def read_region(self, location, level, size):
        if self.has_failed or location == self.damaged_at:
            self.has_failed = True
            raise StandInSlide.Error("bad tile")
        rgba = np.zeros((size[1], size[0], 4), np.uint8)
        whole = image(self.size[1], self.size[0])[location[1] :, location[0] :][: size[1], : size[0]]
        rgba[: whole.shape[0], : whole.shape[1]] = np.dstack([whole, np.full(whole.shape[:2], 255, np.uint8)])
        if location == (0, 0):
            rgba[:10, :10, 3] = 0
        return Image.fromarray(rgba)

    def close(self):
        StandInSlide.n_closed += 1


@contextmanager
def open_slide(folder, monkeypatch, **attributes):
    openslide = types.SimpleNamespace(
        OpenSlide=type("OpenSlide", (StandInSlide,), attributes), OpenSlideError=StandInSlide.Error
    )
    monkeypatch.setitem(__import__("sys").modules, "openslide", openslide)
    path = folder / "smear.SVS"
    path.write_bytes(b"slide")
    with open_large_image(path) as large:
        yield large


def test_a_slide_is_read_with_white_where_nothing_was_scanned(tmp_path, monkeypatch):
    expected = damaged_copy(image(600, 700), 0, 0, 10, 10)
    with open_slide(tmp_path, monkeypatch) as large:
        assert (large.height_px, large.width_px) == (600, 700)
        assert np.array_equal(large.read_region(0, 0, 600, 700), expected)
        assert np.array_equal(large.read_region(500, 505, 530, 520), expected[500:530, 505:520])
        assert large.problems == []


def test_a_damaged_part_of_a_slide_is_white_and_the_rest_goes_on(tmp_path, monkeypatch):
    with open_slide(tmp_path, monkeypatch, damaged_at=(512, 0)) as large:  # column 512, row 0
        rgb = large.read_region(0, 400, 600, 700)
        assert [problem[:4] for problem in large.problems] == [(0, 512, 512, 188)]
        assert large.problems[0].reason == "It cannot be unpacked: bad tile."
    assert np.array_equal(rgb, damaged_copy(image(600, 700), 0, 512, 512, 700)[:, 400:])


def test_a_slide_that_is_too_large_is_refused(tmp_path, monkeypatch):
    with (
        pytest.raises(ImageError, match=r"Received: 30000 x 100 px"),
        open_slide(tmp_path, monkeypatch, size=(30_000, 100)),
    ):
        pass


def test_a_slide_that_openslide_refuses_is_named(tmp_path, monkeypatch):
    with open_slide(tmp_path, monkeypatch):
        (tmp_path / "other.ndpi").write_bytes(b"something else")
        with pytest.raises(ImageError, match=r"The slide other\.ndpi is missing, damaged or of an unknown kind\."):
            open_large_image(tmp_path / "other.ndpi")


@pytest.mark.parametrize("suffix", [".svs", ".ndpi", ".mrxs"])
def test_without_openslide_the_extra_is_named(tmp_path, hide_packages, suffix):
    hide_packages("openslide")
    with pytest.raises(ImageError, match=r"need OpenSlide: pip install 'bloodcell\[slides\]'\."):
        open_large_image(tmp_path / f"smear{suffix}")
