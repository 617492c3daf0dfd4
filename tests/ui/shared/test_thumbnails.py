"""The thumbnail cache, and the images that go through it."""

import pytest

from bloodcell.core.errors import StoreError
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.synthetic.gallery import draw_field
from bloodcell.ui.shared.thumbnails import ThumbnailCache, make_cell_and_field, make_thumbnail, make_tile_crops


def test_cache_forgets_the_image_unused_longest():
    cache = ThumbnailCache(max_bytes=10)
    cache.put(("a",), b"1234")
    cache.put(("b",), b"1234")
    cache.get(("a",))
    cache.put(("c",), b"1234")
    assert [cache.get((name,)) is not None for name in "abc"] == [True, False, True]
    assert cache.n_bytes == 8


def test_cache_counts_a_replaced_image_once():
    cache = ThumbnailCache()
    cache.put(("a",), b"1234")
    cache.put(("a",), b"12")
    assert cache.n_bytes == 2


@pytest.fixture
def field(tmp_path):
    blobs = BlobStore(tmp_path)
    drawn = draw_field(1, n_white=2)
    return blobs, blobs.put(encode_png(drawn.rgb)), drawn


def test_tile_crops_decode_an_image_once_and_then_not_at_all(field, monkeypatch):
    blobs, sha256, drawn = field
    reads = []
    monkeypatch.setattr(blobs, "get", lambda sha, get=blobs.get: reads.append(sha) or get(sha))
    cache = ThumbnailCache()
    cells = [(sha256, box) for box in drawn.boxes]
    crops, problems = make_tile_crops(cache, blobs, cells)
    assert problems == []
    assert len(set(crops)) == 2
    assert all(crop.startswith("data:image/jpeg;base64,") for crop in crops)
    assert make_tile_crops(cache, blobs, cells) == (crops, [])
    assert reads == [sha256]


def test_tile_crops_of_a_lost_image_are_blank_and_say_why(tmp_path):
    crops, problems = make_tile_crops(ThumbnailCache(), BlobStore(tmp_path), [("0" * 64, Box(0, 0, 5, 5))])
    assert crops[0].startswith("data:image/jpeg")
    assert "not in the workspace" in problems[0]


def test_cell_and_field(field):
    blobs, sha256, drawn = field
    cache = ThumbnailCache()
    cell, whole = make_cell_and_field(cache, blobs, sha256, drawn.boxes, 0)
    assert read_rgb(whole).shape == drawn.rgb.shape
    assert max(read_rgb(cell).shape) <= 240
    assert make_cell_and_field(cache, blobs, sha256, drawn.boxes, 0) == (cell, whole)
    assert make_cell_and_field(cache, blobs, sha256, drawn.boxes, 1)[0] != cell


def test_cell_and_field_of_a_lost_image(tmp_path):
    with pytest.raises(StoreError, match="not in the workspace"):
        make_cell_and_field(ThumbnailCache(), BlobStore(tmp_path), "0" * 64, [Box(0, 0, 5, 5)], 0)


def test_thumbnail(field, tmp_path):
    blobs, sha256, _ = field
    assert make_thumbnail(ThumbnailCache(), blobs, sha256).startswith("data:image/jpeg")
    text = blobs.put(b"not an image")
    assert make_thumbnail(ThumbnailCache(), blobs, text) is None
