"""An image that ends the process which analyses it: tried twice, and the others of its batch still get their results."""

import os
import subprocess
import sys

import pytest

from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.db.database import open_database
from bloodcell.review import intake
from bloodcell.review.intake import add_files, analyse_waiting
from bloodcell.review.tables import read_images_table
from bloodcell.review.tries import count_tries, forget_tries, note_tries
from tests.places import ROOT
from tests.review.batch import new_batch
from tests.review.test_intake import ENGINE, read_as_class_name

# Analyses the batch as the app does, with a pipeline that one of the images ends.
CHILD = """
import os, sys
from pathlib import Path
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.db.database import open_database
from bloodcell.review import intake
from tests.review.test_intake import ENGINE, read_as_class_name

def analyse(engine, contents, finder):
    contents = list(contents)
    if b"bomb" in contents:
        os._exit(9)
    return read_as_class_name(engine, contents)

intake.analyse = analyse
folder = Path(sys.argv[1])
intake.analyse_waiting(open_database(f"sqlite:///{folder / 'bloodcell.db'}"), BlobStore(folder / "images"), 1, ENGINE)
"""


def add(db, blobs, *contents):
    batch_id = new_batch(db)
    add_files(db, blobs, batch_id, [IncomingFile(f"{n}.jpg", text.encode(), "") for n, text in enumerate(contents)])
    return batch_id


@pytest.mark.process
def test_an_image_that_ends_the_process_twice_is_not_tried_again(tmp_path):
    db, blobs = open_database(f"sqlite:///{tmp_path / 'bloodcell.db'}"), BlobStore(tmp_path / "images")
    batch_id = add(db, blobs, "MONOCYTE", "bomb", "NEUTROPHIL", "LYMPHOCYTE")

    def run():
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], env=env, timeout=120).returncode

    assert run() == 9
    assert set(count_tries(db, batch_id).values()) == {1}  # any of the four may be to blame
    assert run() == 9  # one by one: the monocyte has its result, then the bomb
    assert read_images_table(db, batch_id)["image_status"].tolist() == ["cells", "", "", ""]
    assert run() == 0
    table = read_images_table(db, batch_id)
    assert table["image_status"].tolist() == ["cells", "unreadable", "cells", "cells"]
    assert table["message"].tolist()[1] == (
        "This image ended the program 2 times while it was analysed, so it is not tried again."
    )


def test_work_that_a_person_stops_does_not_count(db, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "analyse", read_as_class_name)
    blobs = BlobStore(tmp_path / "images")
    batch_id = add(db, blobs, "MONOCYTE", "NEUTROPHIL")

    def stop(_done, _total):
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            analyse_waiting(db, blobs, batch_id, ENGINE, stop)
        assert count_tries(db, batch_id, "another") == {}
    assert analyse_waiting(db, blobs, batch_id, ENGINE) == 2


def test_marks_count_processes_not_calls(db, tmp_path):
    batch_id = add(db, BlobStore(tmp_path / "images"), "MONOCYTE", "NEUTROPHIL")
    first, second = (int(number) for number in read_images_table(db, batch_id)["image_id"])
    note_tries(db, [first], "aa")
    note_tries(db, [first, second], "aa")
    note_tries(db, [first], "bb")
    assert count_tries(db, batch_id, "cc") == {first: 2, second: 1}
    assert count_tries(db, batch_id, "aa") == {first: 1}
    forget_tries(db, batch_id, "aa")
    assert count_tries(db, batch_id, "cc") == {first: 1}
