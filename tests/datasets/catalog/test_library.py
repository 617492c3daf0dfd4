import json
import shutil

import pandas as pd
import pytest

from bloodcell.core.errors import DatasetError, StoppedError, StoreError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog import registration
from bloodcell.datasets.catalog.library import (
    get_dataset,
    hash_content,
    list_datasets,
    list_problems,
    read_images_table,
    register_dataset,
    register_listing,
    remove_dataset,
    rename_dataset,
    rescan_dataset,
)
from bloodcell.datasets.catalog.registration import read_dataset, read_dataset_table
from bloodcell.datasets.catalog.scan import scan_images
from bloodcell.datasets.labels.layouts import FOLDERS, TABLE, LayoutChoice
from bloodcell.datasets.labels.listing import list_images
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.datasets.sources.contents import Problem
from tests.datasets.made import in_folder, png

FILES = {"train/A/1.png": png(1), "train/B/2.png": png(2), "test/A/3.png": b"broken", "loose.gif": b"GIF"}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", db_url="sqlite://")


@pytest.fixture
def dataset(tmp_path, settings):
    return register_dataset("My cells", in_folder(tmp_path, FILES), None, settings)


def files_of(settings):
    return sorted(path.relative_to(settings.home).as_posix() for path in settings.home.rglob("*"))


def test_a_dataset_is_kept_as_it_was_found(dataset, tmp_path, settings):
    assert read_dataset(dataset.folder) == dataset
    assert (dataset.name, dataset.path) == ("My cells", tmp_path / "set")
    assert (dataset.n_images, dataset.n_unreadable, dataset.n_problems) == (3, 1, 1)
    assert (dataset.class_names, dataset.splits) == (("A", "B"), ("test", "train"))
    assert dataset.choice == LayoutChoice(FOLDERS, level=1)
    assert dataset.id.startswith("my-cells-")
    expected = scan_images(list_images(tmp_path / "set"))
    pd.testing.assert_frame_equal(read_images_table(dataset), expected)
    assert dataset.fingerprint == hash_content(expected)
    assert list_problems(dataset) == [
        Problem("test/A/3.png", "The file is not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF."),
        Problem("loose.gif", "This image format is not supported; save the image as JPEG, PNG, BMP or TIFF."),
    ]
    assert list(settings.home.rglob("*.png")) == []  # by reference


def test_a_table_as_choice_comes_back(tmp_path, settings):
    path = in_folder(tmp_path, {"=1,\nx.png": png(1), "labels.csv": b'f,label\n"=1,\nx",NaN-like\n'})
    choice = LayoutChoice(TABLE, table=TableChoice("labels.csv", "f", "label", may_hold_commas=True))
    dataset = register_dataset("Odd", path, choice, settings)
    assert read_dataset(dataset.folder).choice == choice
    assert read_images_table(dataset)[["file", "label"]].to_numpy().tolist() == [["=1,\nx.png", "NaN-like"]]


def test_the_fingerprint_depends_on_content_and_not_on_place_or_order(dataset, tmp_path, settings):
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere")
    assert register_dataset("Copy", tmp_path / "elsewhere", None, settings).fingerprint == dataset.fingerprint
    table = read_images_table(dataset)
    assert hash_content(table.iloc[::-1]) == dataset.fingerprint
    for column in ("file", "label", "split", "sha256"):
        assert hash_content(table.assign(**{column: ["x", *table[column][1:]]})) != dataset.fingerprint


def test_found_by_name_or_id(dataset, tmp_path, settings):
    other = register_dataset("another", tmp_path / "set", None, settings)
    assert list_datasets(settings) == [other, dataset]
    assert get_dataset(" MY cells ", settings) == get_dataset(dataset.id, settings) == dataset
    with pytest.raises(DatasetError, match=r"There is no dataset 'x' in this workspace. Registered: another, My cells"):
        get_dataset("x", settings)


def test_an_empty_workspace_has_none(settings):
    assert list_datasets(settings) == []
    with pytest.raises(DatasetError, match="Registered: none"):
        get_dataset("x", settings)


def test_downloaded_sets_beside_it_are_no_datasets(dataset, settings):
    (settings.datasets_dir / "bccd" / "JPEGImages").mkdir(parents=True)
    assert list_datasets(settings) == [dataset]


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\nb"])
def test_names_that_cannot_be(name, dataset, tmp_path, settings):
    with pytest.raises(DatasetError, match="A name must have 1 to 120 printable characters"):
        register_dataset(name, tmp_path / "set", None, settings)
    with pytest.raises(DatasetError, match="A name must have 1 to 120"):
        rename_dataset(dataset, name, settings)


def test_names_are_given_once(dataset, tmp_path, settings):
    with pytest.raises(
        DatasetError, match=r"Every dataset needs a name of its own\. There already is a dataset 'my CELLS'"
    ):
        register_dataset(" my CELLS", tmp_path / "set", None, settings)


def test_renaming_keeps_the_rest(dataset, settings):
    renamed = rename_dataset(dataset, "MY cells", settings)
    assert list_datasets(settings) == [renamed]
    assert (renamed.name, renamed.id, renamed.fingerprint) == ("MY cells", dataset.id, dataset.fingerprint)
    assert len(read_images_table(renamed)) == 3


def test_removing_forgets_the_registration_only(dataset, tmp_path, settings):
    remove_dataset(dataset)
    remove_dataset(dataset)  # somebody was quicker
    assert list_datasets(settings) == []
    assert files_of(settings) == ["datasets"]
    assert (tmp_path / "set/train/A/1.png").read_bytes() == png(1)


def test_a_stopped_registration_leaves_nothing(tmp_path, settings):
    with pytest.raises(StoppedError, match="stopped after 0 of 3"):
        register_dataset("My cells", in_folder(tmp_path, FILES), None, settings, should_stop=lambda: True)
    assert not settings.home.exists()


def test_a_full_disk_leaves_nothing(tmp_path, settings, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registration, "write_atomic", full)
    with pytest.raises(StoreError, match=r"The workspace .* cannot be written to: No space left on device\."):
        register_dataset("My cells", in_folder(tmp_path, FILES), None, settings)
    assert files_of(settings) == ["datasets"]


def test_the_table_of_another_listing_is_refused(tmp_path, settings):
    listing = list_images(in_folder(tmp_path, FILES))
    with pytest.raises(DatasetError, match=r"The table must have the images of the listing \(3\), in its order"):
        register_listing("x", listing, scan_images(listing)[::-1], settings)


def test_refreshing_takes_the_changes_in_under_the_same_id(dataset, tmp_path, settings):
    in_folder(tmp_path, {"test/A/3.png": png(3), "test/C/4.png": png(4)})
    seen = []
    renewed = rescan_dataset(dataset, on_progress=lambda done, total: seen.append((done, total)))
    assert (renewed.id, renewed.name, renewed.created_at) == (dataset.id, dataset.name, dataset.created_at)
    assert (renewed.n_images, renewed.n_unreadable, renewed.class_names) == (4, 0, ("A", "B", "C"))
    assert renewed.fingerprint != dataset.fingerprint
    assert list_datasets(settings) == [renewed]
    assert read_images_table(dataset)["file"].tolist()[-1] == "train/B/2.png"
    assert len(list(dataset.folder.iterdir())) == 4  # the old tables are gone
    assert seen[-1] == (4, 4)


def test_a_stopped_refresh_keeps_the_old_state(dataset, tmp_path):
    in_folder(tmp_path, {"test/C/4.png": png(4)})
    with pytest.raises(StoppedError):
        rescan_dataset(dataset, should_stop=lambda: True)
    assert read_dataset(dataset.folder) == dataset
    assert len(read_images_table(dataset)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged; remove it and register the dataset again"),
        ("[]", "must have version 1; register the dataset again"),
        (json.dumps({"version": 2, "dataset": {}, "tables": {}}), "must have version 1"),
        (json.dumps({"version": 1, "dataset": {}, "tables": {}}), "is damaged; remove it"),
        (json.dumps({"version": 1, "dataset": {"choice": {"table": {"x": 1}}}, "tables": {}}), "is damaged"),
    ],
)
def test_a_damaged_registration_is_left_out_and_says_why(text, message, dataset, settings):
    (dataset.folder / "dataset.json").write_text(text)
    assert list_datasets(settings) == []
    with pytest.raises(DatasetError, match=message):
        get_dataset(dataset.id, settings)


def test_damaged_tables_say_so(dataset):
    for path in dataset.folder.glob("*.parquet"):
        path.write_bytes(b"PAR1 damaged")
    with pytest.raises(DatasetError, match="is damaged; remove it and register the dataset again"):
        read_images_table(dataset)
    with pytest.raises(DatasetError, match="is damaged"):
        read_dataset_table(dataset, "other")


def test_no_registration(tmp_path):
    with pytest.raises(DatasetError, match="There is no registered dataset in"):
        read_dataset(tmp_path)


def test_tables_are_looked_for_in_their_own_folder_only(dataset, tmp_path):
    values = json.loads((dataset.folder / "dataset.json").read_text())
    read_images_table(dataset).to_parquet(tmp_path / "outside.parquet")
    values["tables"]["images"] = "../../../outside.parquet"
    (dataset.folder / "dataset.json").write_text(json.dumps(values))
    with pytest.raises(DatasetError, match="is damaged"):
        read_images_table(dataset)
