"""Text from outside, the thumbnail cache, the choices of the gallery, and the metrics of a model."""

import numpy as np
import pytest

from bloodcell.core.errors import StoreError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.reports.numbers import format_count
from bloodcell.synthetic.gallery import draw_field
from bloodcell.ui.classify.gallery import find_page, list_choices
from bloodcell.ui.models.model_library import make_metric_rows
from bloodcell.ui.shared.messages import escape_md, format_local_time
from bloodcell.ui.shared.thumbnails import ThumbnailCache, make_cell_and_field, make_thumbnail, make_tile_crops


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.jpg", r"plain name\.jpg"),
        ("two\nlines", "two lines"),
        ("<script>", r"\<script\>"),
        ("*a* $x$ :red[b]", r"\*a\* \$x\$ \:red\[b\]"),
    ],
)
def test_plain(text, expected):
    assert escape_md(text) == expected


def test_counted():
    assert [format_count(n, "image") for n in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]
    assert format_count(2, "box", "boxes") == "2 boxes"


def test_local_time_of_nothing_is_nothing():
    assert format_local_time("") == ""
    assert len(format_local_time("2026-01-31T10:00:00Z")) == len("2026-01-31 10:00")


def test_choices_number_the_classes_then_the_extra_decisions():
    assert [(choice.key, choice.title) for choice in list_choices(WHITE_CELLS_4)] == [
        ("1", "Eosinophil"),
        ("2", "Lymphocyte"),
        ("3", "Monocyte"),
        ("4", "Neutrophil"),
        ("5", "Other cell"),
        ("6", "Not a white cell"),
    ]


def test_the_tenth_choice_has_the_key_0_and_those_behind_it_none():
    assert [choice.key for choice in list_choices([f"C{n}" for n in range(9)])][-2:] == ["0", ""]


def test_page_of_the_chosen_cell(bench):  # two cells a page: 1 2 | 3
    assert find_page(bench) == (1, (1, 2))
    bench.chosen = 3
    assert find_page(bench) == (2, (3,))
    bench.chosen = None
    assert find_page(bench) == (1, (1, 2))


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
    wanted = [(sha256, box) for box in drawn.boxes]
    crops, problems = make_tile_crops(cache, blobs, wanted)
    assert problems == []
    assert len(set(crops)) == 2
    assert all(crop.startswith("data:image/jpeg;base64,") for crop in crops)
    assert make_tile_crops(cache, blobs, wanted) == (crops, [])
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
    text = blobs.put(b"no picture at all")
    assert make_thumbnail(ThumbnailCache(), blobs, text) is None


def test_metric_rows_give_shares_with_their_intervals():
    metrics = {
        "parameters": 5,
        "validation": {"per_source": {"ward": {"images": 1200, "accuracy": 0.9, "held_back": 0.1}}},
        "test": {"accuracy": 0.912, "interval": [0.88, 0.94], "recall": {"MONOCYTE": 0.75}, "ece": np.nan},
    }
    first, second = make_metric_rows(metrics)
    assert (first["Measured on"], first["Images"], first["Accuracy"]) == ("validation, ward", "1,200", "90.0 %")
    assert second["Accuracy"] == "91.2 % (88.0 to 94.0)"
    assert second["Monocyte recall"] == "75.0 %"
    assert second["Calibration error (ECE)"] is None
