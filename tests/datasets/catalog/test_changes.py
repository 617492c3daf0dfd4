import os
import shutil

import pytest

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.changes import CHANGED, MISSING, UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.library import register_dataset, rescan_dataset
from bloodcell.datasets.labels.layouts import TABLE, LayoutChoice
from bloodcell.datasets.labels.tables import TableChoice
from tests.datasets.made import in_folder, in_zip, png

FILES = {"A/1.png": png(1), "B/2.png": png(2), "B/3.png": png(3), "notes.txt": b""}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", db_url="sqlite://")


def kinds(state):
    return state.kind, state.added, state.removed, state.changed


@pytest.mark.parametrize("stored", [in_folder, in_zip])
def test_nothing_changed(stored, tmp_path, settings):
    state = check_dataset_state(register_dataset("Mine", stored(tmp_path, FILES), None, settings))
    assert kinds(state) == (UNCHANGED, (), (), ())
    assert state.message == "Mine has not changed."


def test_files_added_removed_and_changed(tmp_path, settings):
    dataset = register_dataset("Mine", in_folder(tmp_path, FILES), None, settings)
    (dataset.path / "B/2.png").unlink()
    in_folder(tmp_path, {"A/1.png": png(9, 40, 40), "C/new.png": png(4), "more.txt": b"no image"})
    state = check_dataset_state(dataset)
    assert kinds(state) == (CHANGED, ("C/new.png",), ("B/2.png",), ("A/1.png",))
    assert state.message.endswith("Files added: 1, removed: 1, changed: 1.")
    assert kinds(check_dataset_state(rescan_dataset(dataset)))[0] == UNCHANGED


def test_a_file_moved_to_another_class_is_removed_and_added(tmp_path, settings):
    dataset = register_dataset("Mine", in_folder(tmp_path, FILES), None, settings)
    (dataset.path / "B/2.png").rename(dataset.path / "A/2.png")
    assert kinds(check_dataset_state(dataset)) == (CHANGED, ("A/2.png",), ("B/2.png",), ())


def test_new_dates_alone_count_until_the_bytes_are_read(tmp_path, settings):
    dataset = register_dataset("Mine", in_folder(tmp_path, FILES), None, settings)
    for file in ("A/1.png", "B/2.png"):
        os.utime(dataset.path / file, ns=(0, 10**18))
    same_size = bytearray(png(2))
    same_size[-20] ^= 1
    (dataset.path / "B/2.png").write_bytes(same_size)
    assert check_dataset_state(dataset).changed == ("A/1.png", "B/2.png")
    assert check_dataset_state(dataset, reads_bytes=True).changed == ("B/2.png",)


def test_a_zip_made_anew_is_compared_by_checksums(tmp_path, settings):
    dataset = register_dataset("Mine", in_zip(tmp_path, FILES), None, settings)
    in_zip(tmp_path, dict(reversed(FILES.items())))
    assert check_dataset_state(dataset).kind == UNCHANGED
    in_zip(tmp_path, FILES | {"B/3.png": png(9)})
    assert kinds(check_dataset_state(dataset)) == (CHANGED, (), (), ("B/3.png",))


def test_another_table_of_labels_is_noticed(tmp_path, settings):
    inside = in_folder(tmp_path, {"1.png": png(1), "labels.csv": b"f,label\n1,A\n"})
    outside = tmp_path / "mine.csv"
    outside.write_text("f,label\n1,A\n")
    for number, csv in enumerate((inside / "labels.csv", outside)):
        name = "labels.csv" if csv.parent == inside else str(csv)
        choice = LayoutChoice(TABLE, table=TableChoice(name, "f", "label"))
        dataset = register_dataset(f"Mine {number}", inside, choice, settings)
        csv.write_text("f,label\n1,Beta\n")
        assert kinds(check_dataset_state(dataset)) == (CHANGED, (), (), (name,))
        csv.unlink()
        assert kinds(check_dataset_state(dataset)) == (CHANGED, (), (name,), ())


@pytest.mark.parametrize("stored", [in_folder, in_zip])
def test_images_that_are_gone(stored, tmp_path, settings):
    dataset = register_dataset("Mine", stored(tmp_path, FILES), None, settings)
    if dataset.is_zip:
        dataset.path.write_bytes(b"damaged")
    else:
        shutil.rmtree(dataset.path)
    state = check_dataset_state(dataset)
    assert kinds(state) == (MISSING, (), (), ())
    assert state.message.startswith("The images of Mine cannot be found.")
