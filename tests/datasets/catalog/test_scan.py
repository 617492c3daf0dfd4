import hashlib
import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.datasets.catalog import scan as scan_module
from bloodcell.datasets.catalog.scan import COLUMNS, scan_images
from bloodcell.datasets.labels.layouts import FOLDERS, LayoutChoice
from bloodcell.datasets.labels.listing import list_images
from tests.datasets.made import in_folder, in_zip, jpeg, png

LEVEL_1 = LayoutChoice(FOLDERS, level=1)


def saved(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("stored", [in_folder, in_zip])
def test_one_row_an_image(stored, tmp_path):
    first, second = png(1, height_px=20, width_px=30), jpeg(2, height_px=40, width_px=24)
    table = scan_images(list_images(stored(tmp_path, {"train/A/1.png": first, "test/B/2.jpg": second})))
    assert list(table.columns) == list(COLUMNS)
    assert table.to_dict("records") == [
        {
            **{"file": "test/B/2.jpg", "label": "B", "split": "test", "width_px": 24, "height_px": 40},
            **{"format": "JPEG", "n_bytes": len(second), "sha256": hashlib.sha256(second).hexdigest(), "problem": ""},
        },
        {
            **{"file": "train/A/1.png", "label": "A", "split": "train", "width_px": 30, "height_px": 20},
            **{"format": "PNG", "n_bytes": len(first), "sha256": hashlib.sha256(first).hexdigest(), "problem": ""},
        },
    ]


def test_the_format_is_that_of_the_bytes(tmp_path):
    files = {"A/1.png": saved("JPEG"), "A/2.jpg": saved("TIFF"), "A/3.tif": saved("BMP"), "A/4.bmp": saved("PNG")}
    table = scan_images(list_images(in_folder(tmp_path, files), LEVEL_1))
    assert table["format"].tolist() == ["JPEG", "TIFF", "BMP", "PNG"]
    assert set(table["problem"]) == {""}


def test_a_turned_photograph_has_the_size_that_is_shown(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    table = scan_images(list_images(in_folder(tmp_path, {"A/1.jpg": saved("JPEG", exif=exif)}), LEVEL_1))
    assert table[["width_px", "height_px"]].to_numpy().tolist() == [[20, 30]]


BROKEN = {
    "A/1.png": (png(1)[:-100], "The PNG image is cut short: the end of the file is missing."),
    "A/2.jpg": (jpeg(2)[:-100], "The JPEG image is cut short: the end of the file is missing."),
    "A/3.png": (b"", "The file is empty (0 bytes)."),
    "A/4.jpg": (b"no image", "The file is not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF."),
    "A/5.png": (png(5, 15, 15), "The image is too small: each side must have at least 16 pixels. Received: 15 x 15."),
    "A/6.png": (png(6)[:60] + b"\0" * 9 + png(6)[69:], "The PNG image is damaged and cannot be decoded."),
}


def test_what_cannot_be_used_is_listed_with_its_reason_and_stops_nothing(tmp_path):
    files = {name: data for name, (data, _) in BROKEN.items()} | {"A/7.png": png(7)}
    table = scan_images(list_images(in_folder(tmp_path, files), LEVEL_1)).set_index("file")
    assert table["problem"].to_dict() == {name: reason for name, (_, reason) in BROKEN.items()} | {"A/7.png": ""}
    assert table.loc["A/3.png", ["n_bytes", "format"]].tolist() == [0, ""]
    assert table.loc["A/4.jpg", "sha256"] == hashlib.sha256(b"no image").hexdigest()


@pytest.mark.parametrize("data", [jpeg(1, 50, 60)[:-40], png(1, 50, 60)[:-100]])
def test_large_images_without_their_end_are_decoded(data, tmp_path, monkeypatch):
    monkeypatch.setattr(scan_module, "MAX_DECODED_PX", 50 * 60 - 1)
    table = scan_images(list_images(in_folder(tmp_path, {"A/1.png": data, "A/2.png": png(1, 50, 60)}), LEVEL_1))
    assert table["problem"].str.contains("is cut short").tolist() == [True, False]


def test_large_images_with_their_end_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_module, "MAX_DECODED_PX", 0)
    monkeypatch.setattr(scan_module, "read_rgb", lambda data: pytest.fail("decoded"))
    table = scan_images(list_images(in_folder(tmp_path, {"A/1.png": png(1), "A/2.jpg": jpeg(2)}), LEVEL_1))
    assert table["problem"].tolist() == ["", ""]


def test_files_that_vanish(tmp_path):
    path = in_folder(tmp_path, {"A/1.png": png(1), "B/2.png": png(2)})
    listing = list_images(path)
    os.unlink(path / "A/1.png")
    table = scan_images(listing)
    assert table["problem"].tolist() == ["The file cannot be read: No such file or directory.", ""]
    assert table["sha256"][0] == ""


def test_a_member_that_is_damaged(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("A/1.png", png(1))
        archive.writestr("B/2.png", png(2))
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    table = scan_images(list_images(path))
    assert table["problem"].tolist() == ["It is damaged inside the zip, so it cannot be unpacked.", ""]


def many(tmp_path, n_images):
    return list_images(in_folder(tmp_path, {f"{'AB'[k % 2]}/{k}.png": png(k) for k in range(n_images)}))


def test_the_order_is_that_of_the_listing_however_many(tmp_path):
    listing = many(tmp_path, 150)  # more than are handed out ahead
    seen = []
    table = scan_images(listing, on_progress=lambda done, total: seen.append((done, total)))
    assert table["file"].tolist() == [image.file for image in listing.images]
    assert table["sha256"].tolist() == [
        hashlib.sha256((listing.path / image.file).read_bytes()).hexdigest() for image in listing.images
    ]
    assert seen == [(done, 150) for done in range(1, 151)]


def test_stopping_leaves_no_table(tmp_path):
    listing = many(tmp_path, 100)
    seen = []

    def on_progress(done, total):
        seen.append(done)

    with pytest.raises(StoppedError, match="The scan was stopped after 7 of 100 images; nothing was kept"):
        scan_images(listing, on_progress, should_stop=lambda: len(seen) == 7)
    assert seen == list(range(1, 8))


def test_a_folder_that_is_gone(tmp_path):
    listing = many(tmp_path, 2)
    listing.path.rename(tmp_path / "moved")
    with pytest.raises(DatasetError, match="There is no dataset at"):
        scan_images(listing)
