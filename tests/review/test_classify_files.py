"""Files classified in one pass, without a database: the same tables as those of a stored batch."""

import subprocess
import sys

import pytest

from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.review import classify_files as classify_files_module
from bloodcell.review import intake
from bloodcell.review.classify_files import classify_files
from bloodcell.review.intake import CHUNK_IMAGES, add_files, analyse_waiting
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.places import ROOT
from tests.review.batch import new_batch
from tests.review.test_intake import ENGINE, files, read_as_class_name


@pytest.fixture(autouse=True)
def pipeline(monkeypatch):
    monkeypatch.setattr(intake, "analyse", read_as_class_name)
    monkeypatch.setattr(classify_files_module, "analyse", read_as_class_name)


def test_the_tables_are_those_of_a_stored_batch(db, tmp_path):
    contents = ["MONOCYTE 1", "nothing", "MONOCYTE 1", *(f"NEUTROPHIL {number}" for number in range(CHUNK_IMAGES))]
    incoming = [
        *files(*contents),
        IncomingFile("bad.jpg", None, "The file is empty (0 bytes)."),
        IncomingFile("bad.jpg", None),
        IncomingFile("copy of 1.jpg", b"nothing"),
        IncomingFile("copy of 1.jpg", b"nothing"),
        IncomingFile("nul\0.jpg", b"LYMPHOCYTE"),
        IncomingFile("bytes\udce9.jpg", b"EOSINOPHIL"),
    ]
    blobs, stored = BlobStore(tmp_path / "images"), new_batch(db)
    add_files(db, blobs, stored, incoming)
    analyse_waiting(db, blobs, stored, ENGINE)
    done = []
    passed = classify_files(ENGINE, iter(incoming), lambda: done.append(1))
    assert len(done) == len(incoming)
    for ours, read_table, ids in (
        (passed.images, read_images_table, ["image_id"]),
        (passed.cells, read_cells_table, ["image_id", "cell_id"]),
    ):
        theirs = read_table(db, stored)
        assert len(ours) > 0
        assert list(ours.columns) == list(theirs.columns)
        assert ours.drop(columns=ids).equals(theirs.drop(columns=ids))


def test_no_files_give_empty_tables_with_every_column(db):
    passed = classify_files(ENGINE, [], lambda: None)
    assert passed.images.empty
    assert passed.cells.empty
    batch_id = new_batch(db)
    assert passed.images.dtypes.equals(read_images_table(db, batch_id).dtypes)
    assert passed.cells.dtypes.equals(read_cells_table(db, batch_id).dtypes)


def test_files_are_read_one_at_a_time(monkeypatch):
    """A folder of any size fits in memory: a file is read when the pipeline asks for it."""
    asked = []

    def incoming():
        for file in files("MONOCYTE 1", "MONOCYTE 2"):
            asked.append(file.name)
            yield file

    def analyse(_engine, images, _finder):
        for number, _ in enumerate(images, start=1):
            assert len(asked) == number
            yield from read_as_class_name(_engine, [b"MONOCYTE"])

    monkeypatch.setattr(classify_files_module, "analyse", analyse)
    assert len(classify_files(ENGINE, incoming(), lambda: None).images) == 2


@pytest.mark.process
def test_it_needs_no_database():
    code = "import sys, bloodcell.cli.models.classify; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
