"""Taking files in and analysing them: order, doubles, resuming, and what a full disk or a kill leaves."""

import hashlib
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from bloodcell.core.errors import BloodcellError, ModelError, StoreError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import IncomingFile, read_uploads
from bloodcell.db.database import open_database
from bloodcell.review import intake
from bloodcell.review.batches import list_batches
from bloodcell.review.images import list_waiting_images
from bloodcell.review.intake import CHUNK_IMAGES, IntakeCounts, add_files, analyse_waiting
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.review.batch import MODEL, MODEL_SHA, cell, image, new_batch

ENGINE = SimpleNamespace(model_name=MODEL, model_sha256=MODEL_SHA, class_names=WHITE_CELLS_4)


def read_as_class_name(_engine, images, _finder=None):
    """Stand in for the pipeline: an image's bytes say what it shows."""
    for content in images:
        if isinstance(content, BloodcellError):
            yield image(status="unreadable", message=str(content))
        elif content.decode().split()[0] in WHITE_CELLS_4:
            yield image(cell(content.decode().split()[0]))
        else:
            yield image()


@pytest.fixture(autouse=True)
def pipeline(monkeypatch):
    monkeypatch.setattr(intake, "analyse", read_as_class_name)


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "images")


def files(*contents):
    return [IncomingFile(f"{number}.jpg", content.encode(), "") for number, content in enumerate(contents)]


def test_from_uploads_to_table(db, blobs):
    batch_id = new_batch(db)
    uploads = [("b.jpg", b"MONOCYTE"), ("a.jpg", b"nothing"), ("c.jpg", b"MONOCYTE"), ("empty.jpg", b"")]
    steps = []
    taken = add_files(db, blobs, batch_id, read_uploads(uploads), lambda *step: steps.append(step), total=4)
    assert taken == IntakeCounts(n_new=2, n_duplicates=1, n_problem=1)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    steps.clear()
    assert analyse_waiting(db, blobs, batch_id, ENGINE, lambda *step: steps.append(step)) == 2
    assert steps == [(1, 2), (2, 2)]
    table = read_images_table(db, batch_id)
    assert table["file_name"].tolist() == ["b.jpg", "a.jpg", "empty.jpg"]
    assert table["image_status"].tolist() == ["cells", "no white cell", "unreadable"]
    assert read_cells_table(db, batch_id)["prediction"].tolist() == ["MONOCYTE"]
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 0


def test_nothing_comes_in(db, blobs):
    batch_id = new_batch(db)
    assert add_files(db, blobs, batch_id, []) == IntakeCounts(0, 0, 0)
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 0


def test_a_file_without_bytes_or_reason_gets_one(db, blobs):
    batch_id = new_batch(db)
    assert add_files(db, blobs, batch_id, [IncomingFile("x", None, "")]).n_problem == 1
    assert read_images_table(db, batch_id)["message"].tolist() == ["The file could not be read."]


def test_a_kill_leaves_the_rest_waiting_and_the_next_call_goes_on(db, blobs, monkeypatch):
    batch_id = new_batch(db)
    add_files(db, blobs, batch_id, files(*(f"MONOCYTE {number}" for number in range(CHUNK_IMAGES + 10))))

    def killed_late(engine, images, finder):
        for number, result in enumerate(read_as_class_name(engine, images)):
            if number == CHUNK_IMAGES + 5:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(intake, "analyse", killed_late)
    with pytest.raises(KeyboardInterrupt):
        analyse_waiting(db, blobs, batch_id, ENGINE)
    assert len(list_waiting_images(db, batch_id)) == 10
    monkeypatch.setattr(intake, "analyse", read_as_class_name)
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 10
    assert read_cells_table(db, batch_id)["cell_number"].tolist() == [1] * (CHUNK_IMAGES + 10)


def test_a_full_disk_keeps_what_had_arrived(db, blobs, monkeypatch):
    batch_id = new_batch(db)
    put = blobs.put

    def full_at_the_third(data):
        if data == b"MONOCYTE 3":
            raise StoreError("The workspace disk is full.")
        return put(data)

    monkeypatch.setattr(blobs, "put", full_at_the_third)
    incoming = files("MONOCYTE 1", "MONOCYTE 2", "MONOCYTE 3", "MONOCYTE 4")
    with pytest.raises(StoreError, match="The workspace disk is full"):
        add_files(db, blobs, batch_id, incoming)
    assert read_images_table(db, batch_id)["file_name"].tolist() == ["0.jpg", "1.jpg"]
    monkeypatch.setattr(blobs, "put", put)
    assert add_files(db, blobs, batch_id, incoming) == IntakeCounts(n_new=2, n_duplicates=2, n_problem=0)
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 4


def test_a_locked_database_loses_no_file(db_path, blobs):
    db = open_database(f"sqlite:///{db_path}", busy_timeout_s=0.05)
    batch_id = new_batch(db)
    incoming = files(*(f"MONOCYTE {number}" for number in range(CHUNK_IMAGES + 1)))
    with closing(sqlite3.connect(db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            add_files(db, blobs, batch_id, incoming)
        other.execute("ROLLBACK")
    assert add_files(db, blobs, batch_id, incoming).n_new == CHUNK_IMAGES + 1
    with closing(sqlite3.connect(db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            analyse_waiting(db, blobs, batch_id, ENGINE)
        other.execute("ROLLBACK")
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == CHUNK_IMAGES + 1


def test_missing_and_damaged_bytes_become_unreadable_images(db, blobs, tmp_path):
    batch_id = new_batch(db)
    add_files(db, blobs, batch_id, files("MONOCYTE 1", "MONOCYTE 2", "MONOCYTE 3"))
    paths = [
        next(tmp_path.joinpath("images").rglob(hashlib.sha256(content).hexdigest()))
        for content in (b"MONOCYTE 1", b"MONOCYTE 2")
    ]
    paths[0].unlink()
    paths[1].write_bytes(b"other")
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 3
    table = read_images_table(db, batch_id)
    assert table["image_status"].tolist() == ["unreadable", "unreadable", "cells"]
    assert "not in the workspace" in table["message"][0]
    assert "damaged" in table["message"][1]


@pytest.mark.parametrize("change", [{"model_sha256": "0" * 64}, {"class_names": WHITE_CELLS_4[::-1]}])
def test_another_model_is_refused(db, blobs, change):
    batch_id = new_batch(db)
    add_files(db, blobs, batch_id, files("MONOCYTE"))
    other = SimpleNamespace(**{**vars(ENGINE), **change})
    with pytest.raises(ModelError, match=r"created with the model wbc4 \(c0ffee.*\). Received: wbc4"):
        analyse_waiting(db, blobs, batch_id, other)
    assert list_batches(db)[0].n_waiting == 1


def test_no_such_batch(db, blobs):
    with pytest.raises(StoreError, match="There is no batch 7"):
        add_files(db, blobs, 7, files("MONOCYTE"))
    with pytest.raises(StoreError, match="There is no batch 7"):
        analyse_waiting(db, blobs, 7, ENGINE)
