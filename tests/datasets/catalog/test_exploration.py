from collections import Counter

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.catalog.exploration import (
    compare_methods,
    iterate_example_images,
    measure_sample_levels,
    summarise_methods,
    survey_images,
)
from bloodcell.datasets.catalog.source_spec import SourceSpec, list_source_records
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records, share_quotas
from bloodcell.datasets.masks.true_masks import pair_masks, read_true_mask
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import encode_jpeg, encode_png
from bloodcell.imaging.segment import METHODS
from bloodcell.synthetic.gallery import draw_field

FOLDERS = SourceSpec("set", "set")


def disc_mask(height=60, width=80):
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(rows - height / 2, columns - width / 2)
    levels = np.where(away < 10, 255, np.where(away < 20, 128, 0)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


@pytest.fixture
def folder(tmp_path):
    """Three images of A, one of them with a mask in the same folder; one of B with a mask in `masks`; one broken."""
    root = tmp_path / "set"
    for name in ("A", "B", "masks/B"):
        (root / name).mkdir(parents=True)
    for number in range(3):
        (root / "A" / f"{number}.jpg").write_bytes(encode_jpeg(draw_field(number, 1, 60, 80, scale=0.2).rgb))
    (root / "A" / "0.png").write_bytes(encode_png(disc_mask()))
    (root / "B" / "7.jpg").write_bytes(encode_jpeg(draw_field(7, 1, 60, 80, scale=0.2).rgb))
    (root / "masks" / "B" / "7.png").write_bytes(encode_png(disc_mask()))
    (root / "B" / "bad.jpg").write_bytes(b"\xff\xd8\xffno")
    return root


def test_quotas_are_even_and_small_classes_give_all():
    assert share_quotas({"A": 100, "B": 3, "C": 100}, 31) == {"A": 14, "B": 3, "C": 14}  # 3 + (31 - 3) / 2 each
    assert share_quotas({"A": 5, "B": 5}, 100) == {"A": 5, "B": 5}
    assert share_quotas({"A": 5, "B": 5, "C": 5}, 1) == {"A": 1, "B": 1, "C": 1}
    assert share_quotas({}, 5) == {}


def test_same_seed_same_sample_whatever_the_order():
    records = [Record(f"{label}/{number}.png", label) for label in "AB" for number in range(50)]
    drawn = sample_records(records, 20, seed=1)
    assert drawn == sample_records(records[::-1], 20, seed=1)
    assert drawn != sample_records(records, 20, seed=2)
    assert Counter(record.label for record in drawn) == {"A": 10, "B": 10}
    assert len(set(drawn)) == 20
    with pytest.raises(DatasetError, match=r"at least 1 image\. Received: 0"):
        sample_records(records, 0, seed=1)


def test_survey_reads_headers_and_tells_problems(folder):
    images = Contents(folder)
    seen = []
    table = survey_images(images, list_source_records(FOLDERS, images), lambda done, total: seen.append((done, total)))
    good = table[table["file"] == "A/1.jpg"].iloc[0]
    assert (good["label"], good["format"], good["height_px"], good["width_px"]) == ("A", "JPEG", 60, 80)
    bad = table[table["file"] == "B/bad.jpg"].iloc[0]
    assert (bad["format"], bad["width_px"]) == ("", 0)
    assert "JPEG image is damaged" in bad["problem"]
    assert seen[-1] == (7, 7)


def test_masks_are_paired_and_are_no_images(folder):
    images = Contents(folder)
    records, mask_by_image = pair_masks(images, list_source_records(FOLDERS, images))
    assert [record.file for record in records] == ["A/0.jpg", "A/1.jpg", "A/2.jpg", "B/7.jpg", "B/bad.jpg"]
    assert mask_by_image == {"A/0.jpg": "A/0.png", "B/7.jpg": "masks/B/7.png"}


def test_one_image_in_two_formats_is_no_mask(folder):
    (folder / "A" / "1.png").write_bytes(encode_png(draw_field(1, 1, 60, 80, scale=0.2).rgb))
    images = Contents(folder)
    records, mask_by_image = pair_masks(images, list_source_records(FOLDERS, images))
    assert "A/1.png" in [record.file for record in records]
    assert "A/1.jpg" not in mask_by_image


def test_a_mask_of_another_size_is_told(folder):
    with pytest.raises(ImageError, match=r"size of its image, \(61, 80\). Received: \(60, 80\)"):
        read_true_mask(Contents(folder), "A/0.png", (61, 80))


def test_levels_and_comparison_of_a_sample(folder):
    images = Contents(folder)
    records, mask_by_image = pair_masks(images, list_source_records(FOLDERS, images))
    levels = measure_sample_levels(images, records)
    assert levels.labels == ["A", "A", "A", "B"]
    assert [file for file, _ in levels.problems] == ["B/bad.jpg"]
    compared = compare_methods(images, records, mask_by_image)
    assert (compared.n_images, compared.n_masks, len(compared.table)) == (4, 2, 4 * len(METHODS))
    known = compared.table["dice_cell"].notna()
    assert set(compared.table[known]["file"]) == {"A/0.jpg", "B/7.jpg"}
    assert compared.table["area_share"].between(0, 1).all()
    assert (compared.table["area_px"] == (compared.table["area_share"] * 60 * 80).round()).all()
    summed = summarise_methods(compared.table)
    assert list(summed.index) == list(METHODS)
    assert (summed["n_images"] == 4).all()


def test_images_to_show_skip_the_unreadable(folder):
    images = Contents(folder)
    records, _ = pair_masks(images, list_source_records(FOLDERS, images))
    shown = [record.file for record, _ in iterate_example_images(images, records[::-1], 2)]
    assert shown == ["B/7.jpg", "A/2.jpg", "A/1.jpg"]
