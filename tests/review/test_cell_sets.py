import csv
import io

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, StoppedError, StoreError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.changes import UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.library import list_datasets, read_images_table, register_dataset, remove_dataset
from bloodcell.datasets.copies.known_groups import read_groups
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import cut_surroundings
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.review.cell_sets import HEADER, create_cell_set, read_reviewed_cells
from bloodcell.review.corrections import add_correction, undo_last_correction
from bloodcell.review.images import Arrival, add_images
from bloodcell.review.tables import read_cells_table
from tests.review.batch import BIG_BOX, MODEL, MODEL_SHA, SMALL_BOX, cell, image, new_batch, store_result


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", db_url="sqlite://")


@pytest.fixture
def fields():
    """Two images of 480 x 640."""
    return [np.random.default_rng(seed).integers(0, 256, (480, 640, 3), dtype=np.uint8) for seed in range(2)]


@pytest.fixture
def batch_id(db, settings, fields):
    """=a.jpg with two cells, b.jpg with two, all predicted, none reviewed."""
    batch_id = new_batch(db)
    blobs = BlobStore(settings.blobs_dir)
    for name, rgb in zip(("=a.jpg", "b.jpg"), fields, strict=True):
        added = add_images(db, batch_id, [Arrival(name, blobs.put(encode_png(rgb)))])[0]
        store_result(db, added.image_id, image(cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX)), MODEL, MODEL_SHA)
    return batch_id


def cell_ids(db, batch_id):
    return read_cells_table(db, batch_id)["cell_id"].tolist()


def rows_of(dataset):
    text = (dataset.path / "cells.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_only_what_a_person_reviewed(db, batch_id):
    first, second, third, fourth = cell_ids(db, batch_id)
    add_correction(db, first, "MONOCYTE", "Ada")  # confirmed
    add_correction(db, second, "EOSINOPHIL", "Ada")
    add_correction(db, third, "NOT_A_CELL", "Ada")
    add_correction(db, fourth, "OTHER", "Ada")
    assert read_reviewed_cells(db, batch_id)["cell_id"].tolist() == [first, second]
    assert read_reviewed_cells(db, batch_id, with_extra=True)["cell_id"].tolist() == [first, second, third, fourth]
    for _ in range(3):
        undo_last_correction(db, batch_id, "Ada")
    assert read_reviewed_cells(db, batch_id, with_extra=True)["cell_id"].tolist() == [first]


def test_the_cells_become_a_dataset(db, batch_id, settings, fields):
    first, second, third, _ = cell_ids(db, batch_id)
    for cell_id, label in ((first, "LYMPHOCYTE"), (second, "NEUTROPHIL"), (third, "MONOCYTE")):
        add_correction(db, cell_id, label, "Ada")
    seen = []
    dataset = create_cell_set(
        db, batch_id, "Mine", settings, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]
    assert dataset.class_names == ("LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
    assert (dataset.n_images, dataset.n_unreadable, dataset.n_problems) == (3, 0, 0)
    assert list_datasets(settings) == [dataset]
    assert check_dataset_state(dataset).kind == UNCHANGED

    rows = rows_of(dataset)
    assert tuple(rows[0]) == HEADER
    assert [row["label"] for row in rows] == ["LYMPHOCYTE", "NEUTROPHIL", "MONOCYTE"]
    assert [row["image_name"] for row in rows] == ["'=a.jpg", "'=a.jpg", "b.jpg"]  # no formula for a spreadsheet
    assert {row["file"]: row["label"] for row in rows} == dict(
        read_images_table(dataset)[["file", "label"]].itertuples(index=False, name=None)
    )
    with Contents(dataset.path) as contents:
        crop = read_rgb(contents.read(rows[1]["file"]))
    # 40 px * 2.25 = 90 px around (215, 320): rows 170..260, columns 275..365
    np.testing.assert_array_equal(crop, fields[0][170:260, 275:365])


def test_cells_of_one_image_are_one_group(db, batch_id, settings):
    for cell_id in cell_ids(db, batch_id):
        add_correction(db, cell_id, "MONOCYTE", "Ada")
    dataset = create_cell_set(db, batch_id, "Mine", settings)
    groups = read_groups(dataset.path / "cells.csv")
    files = [row["file"] for row in rows_of(dataset)]
    assert len(set(files)) == 4
    assert groups[files[0]] == groups[files[1]] != groups[files[2]] == groups[files[3]]


def test_later_decisions_and_removing_leave_the_crops_alone(db, batch_id, settings):
    first, second, *_ = cell_ids(db, batch_id)
    add_correction(db, first, "MONOCYTE", "Ada")
    dataset = create_cell_set(db, batch_id, "Mine", settings)
    add_correction(db, second, "MONOCYTE", "Ada")
    assert create_cell_set(db, batch_id, "Mine again", settings).n_images == 2
    assert len(read_images_table(dataset)) == 1
    remove_dataset(dataset)
    assert [path.suffix for path in sorted(dataset.path.rglob("*.*"))] == [".png", ".csv"]


def test_nobody_reviewed(db, batch_id, settings):
    add_correction(db, cell_ids(db, batch_id)[0], "NOT_A_CELL", "Ada")
    with pytest.raises(DatasetError, match=r"A dataset needs cells that a person confirmed or corrected. 'Monday' has"):
        create_cell_set(db, batch_id, "Mine", settings)


def test_no_such_batch(db, settings):
    with pytest.raises(StoreError, match="There is no batch 7"):
        create_cell_set(db, 7, "Mine", settings)


def nothing_is_left(settings):
    return list_datasets(settings) == [] and not list(settings.cells_dir.glob("*"))


@pytest.mark.parametrize("after", [1, 2, 3])  # before the second image, before the first crop is looked at, the second
def test_stopping_leaves_nothing(after, db, batch_id, settings):
    for cell_id in cell_ids(db, batch_id):
        add_correction(db, cell_id, "MONOCYTE", "Ada")
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > after

    with pytest.raises(StoppedError, match="nothing was kept"):
        create_cell_set(db, batch_id, "Mine", settings, should_stop=should_stop)
    assert nothing_is_left(settings)


def test_a_damaged_image_leaves_nothing(db, batch_id, settings):
    add_correction(db, cell_ids(db, batch_id)[3], "MONOCYTE", "Ada")
    for path in settings.blobs_dir.glob("*/*"):
        path.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="its content no longer matches its SHA-256"):
        create_cell_set(db, batch_id, "Mine", settings)
    assert nothing_is_left(settings)


def test_a_taken_name_is_refused_before_anything_is_cut(db, batch_id, settings):
    add_correction(db, cell_ids(db, batch_id)[0], "MONOCYTE", "Ada")
    dataset = create_cell_set(db, batch_id, "Mine", settings)
    with pytest.raises(DatasetError, match="There already is a dataset 'mine'"):
        create_cell_set(db, batch_id, "mine", settings)
    assert list(settings.cells_dir.iterdir()) == [dataset.path]
    register_dataset("Other", dataset.path, dataset.choice, settings)  # names are free again elsewhere


def test_a_cell_at_the_rim_gives_what_the_image_has():
    rgb = np.arange(50 * 60 * 3, dtype=np.uint64).reshape(50, 60, 3).astype(np.uint8)
    # 20 px * 2.25 = 45 px around (10, 55): rows -12..33, columns 32..77
    np.testing.assert_array_equal(cut_surroundings(rgb, Box(0, 50, 20, 60)), rgb[:33, 32:])
    assert cut_surroundings(rgb, Box(24, 24, 26, 26)).shape == (32, 32, 3)  # 2 px would give 4, too small to be read


def test_a_cut_from_the_middle_holds_its_box():
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[BIG_BOX.top : BIG_BOX.bottom, BIG_BOX.left : BIG_BOX.right] = 255
    assert int((cut_surroundings(rgb, BIG_BOX)[..., 0] == 255).sum()) == BIG_BOX.area_px
