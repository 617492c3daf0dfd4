"""What the commands take for images: any layout that is recognised, options where it is unclear, registered datasets."""

import csv
import io
import json

import pytest

from bloodcell.cli import main
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import store_groups
from bloodcell.datasets.catalog.library import get_dataset, register_dataset, rescan_dataset
from bloodcell.datasets.labels.layouts import LayoutChoice
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.datasets.made import in_folder, in_zip, png
from tests.inference.net import write_net

NAMES = ("red", "blue")
CELLS = {f"{part}/{label}/{number}.png": b"" for part in ("train", "test") for label in "AB" for number in range(4)}
# One clear label, one in quotes, a blank one, a double one, a file named twice with two labels, one that is not there.
LABELS = b'Image,Category\n0,Eo\n1,"Mono"\n2,\n3,"Eo, Mono"\n4,Eo\n4,Mono\n9,Eo\n5,Eo\n'
NUMBERED = {f"BloodImage_{number:05}.png": png(number) for number in range(6)}


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args):
    return main.main([str(arg) for arg in args])


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def error(capsys):
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def registered(name, path, choice=None):
    return register_dataset(name, path, choice, load_settings())


@pytest.mark.parametrize("stored", [in_folder, in_zip])
def test_train_and_test_folders(stored, tmp_path):
    path = stored(tmp_path, CELLS)
    assert run("split", path, "--leaky", "--folds", 2, "--test", "TEST", "--out", "out.csv") == 0
    rows = rows_of(tmp_path / "out.csv")
    assert {row["label"] for row in rows} == {"A", "B"}
    assert {row["file"].split("/")[0] for row in rows if row["split"] == "test"} == {"test"}
    assert {row["file"].split("/")[0] for row in rows if row["split"] != "test"} == {"train"}


def test_blank_and_double_labels_and_missing_files_are_named(tmp_path, capsys):
    path = in_folder(tmp_path, NUMBERED)
    (tmp_path / "labels.csv").write_bytes(LABELS)
    assert run("split", path, "--labels", "labels.csv", "--leaky", "--holdout", 0.4, "--out", "out.csv") == 0
    assert {row["file"]: row["label"] for row in rows_of(tmp_path / "out.csv")} == {
        "BloodImage_00000.png": "Eo",
        "BloodImage_00001.png": "Mono",
        "BloodImage_00005.png": "Eo",
    }
    told = capsys.readouterr().err
    for words in (
        "problems (1): BloodImage_00002.png (Row 4 of labels.csv gives no label.)",
        "problems (1): BloodImage_00003.png (Row 5 of labels.csv gives more than one label: 'Eo, Mono'.)",
        "problems (1): BloodImage_00004.png (Rows 6, 7 contradict each other (Eo / Mono); it is left out.)",
        "problems (1): labels.csv, row 8 (The row names '9', but there is no such image.)",
    ):
        assert words in told


@pytest.mark.process
def test_groups_take_the_images_without_a_label_too(tmp_path):
    path = in_folder(tmp_path, NUMBERED | {"labels.csv": LABELS})
    assert run("groups", path, "--pattern", r"(\d)\.png", "--out", "out.csv") == 0
    assert [row["group"] for row in rows_of(tmp_path / "out.csv")] == list("012345")


MASKS = {"images/1.bmp": b"", "images/1.png": b"", "images/2.bmp": b"", "images/2.png": b""}
NESTED = {"s1/A/1.png": b"", "s1/B/2.png": b"", "s2/A/3.png": b"", "s2/B/4.png": b""}


@pytest.mark.parametrize("command", ["explore", "groups", "leaks", "split", "evaluate"])
@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (
            NESTED,
            [],
            "set can be read in more than one way; choose with an option: --level 1 (folders s1, s2); or --level 2",
        ),
        (MASKS | {"c.csv": b"id,class\n1,A\n2,B\n"}, [], "with an option: --labels c.csv --ending .bmp or .png."),
        (
            MASKS | {"c.csv": b"id,class\n1,A\n2,B\n"},
            ["--labels", "c.csv"],
            "c.csv can be read in more than one way; choose with options: --labels c.csv --ending .bmp or .png.",
        ),
        (
            {"1.png": b"", "c.csv": b"id,class,cell type\n1,A,B\n"},
            ["--labels", "c.csv", "--file-column", "id"],
            "choose with options: --labels c.csv --label-column class or 'cell type'.",
        ),
        (NESTED, ["--level", "0"], "--level must be 1 or more. Received: 0."),
        (NESTED, ["--ending", ".bmp"], "say how to read the table of --labels"),
        (NESTED, ["--labels", "none.csv"], "none.csv cannot be read: No such file"),
    ],
)
def test_where_it_is_unclear_the_error_names_the_options(tmp_path, capsys, command, files, options, message):
    path = in_folder(tmp_path, files)
    write_net(tmp_path / "ws" / "runs" / "pixel", pixel=(16, 16))
    first = {"evaluate": ["pixel", path], "leaks": [path, path], "split": [path, "--folds", "2"]}.get(command, [path])
    assert run(command, *first, *options, "--out", "out") == 1
    assert message in error(capsys)
    assert not (tmp_path / "out").exists()


def test_the_options_choose(tmp_path):
    nested = in_folder(tmp_path, NESTED)
    for level, labels in ((1, {"s1", "s2"}), (2, {"A", "B"})):
        assert run("split", nested, "--level", level, "--leaky", "--folds", 2, "--out", "out.csv") == 0
        assert {row["label"] for row in rows_of(tmp_path / "out.csv")} == labels
    masks = in_zip(tmp_path, MASKS | {"c.csv": b"a,b,class,label\n1,2,X,A\n2,1,Y,B\n"})
    options = ("--file-column", "b", "--label-column", "label", "--ending", ".BMP")
    assert run("split", masks, "--labels", "c.csv", *options, "--leaky", "--holdout", 0.5, "--out", "out.csv") == 0
    rows = {row["file"]: row["label"] for row in rows_of(tmp_path / "out.csv")}
    assert rows == {"images/1.bmp": "B", "images/2.bmp": "A"}


def test_unlabelled_sets_need_an_option_where_labels_count(tmp_path, capsys):
    path = in_folder(tmp_path, NUMBERED)
    assert run("explore", path, "--out", "out.html") == 1
    assert "The labels of set are not clear; choose with an option: --labels FILE.csv" in error(capsys)


@pytest.mark.process
def test_a_registered_dataset_goes_by_its_name_or_id_and_brings_its_groups(tmp_path, capsys):
    path = in_folder(tmp_path, {file: png(number) for number, file in enumerate(NESTED)})
    (path / "s1" / "A" / "broken.png").write_bytes(b"no picture")
    dataset = registered("My cells", path, LayoutChoice("folders", 2))
    store_groups(dataset, {file: file[:2] for file in NESTED}, "in the names")
    for name in ("my cells", dataset.id):
        assert run("split", name, "--folds", 2, "--out", "out.csv") == 0
        group_of = {row["file"]: row["group"] for row in rows_of(tmp_path / "out.csv")}
        assert group_of == {file: file[:2] for file in NESTED} | {"s1/A/broken.png": "s1/A/broken.png"}
        assert "groups: stored with My cells, found in the names" in capsys.readouterr().err
    assert run("groups", "My cells", "--pattern", r"(\w+)\.png", "--out", "out.csv") == 0
    assert len(rows_of(tmp_path / "out.csv")) == 5
    assert run("split", "My cells", "--level", 1, "--folds", 2, "--out", "out.csv") == 1
    assert "--level and --labels are for folders and zips. Received: My cells" in error(capsys)
    store_groups(dataset, {"s1/A/1.png": "x"}, "in the names")
    assert run("split", "My cells", "--folds", 2, "--out", "out.csv") == 1
    assert "The groups stored with My cells lack s1/B/2.png: find them again on the page Datasets." in error(capsys)


def test_evaluate_takes_one_part_and_the_kept_groups(tmp_path):
    files = {
        f"{part}/{name}/1.png": draw_field(7, 1, 120, 120, scale=0.45).rgb
        for part in ("train", "test")
        for name in NAMES
    }
    dataset = registered("cells", in_folder(tmp_path, {file: encode_png(rgb) for file, rgb in files.items()}))
    store_groups(dataset, dict.fromkeys(files, "one"), "by hand")
    write_net(tmp_path / "ws" / "runs" / "pixel", names=("RED", "BLUE"), n_outputs=2, pixel=(16, 16))
    assert run("evaluate", "pixel", "cells", "--part", "TEST", "--out", "report") == 0
    measured = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert (measured["images"], measured["source_cells"], measured["part"]) == (2, 1, "TEST")
    assert (measured["dataset"], measured["groups"]) == ("cells", "stored, found by hand")
    assert {row["file"].split("/")[0] for row in rows_of(tmp_path / "report" / "predictions.csv")} == {"test"}


def test_a_part_that_is_not_there(tmp_path, capsys):
    path = in_folder(tmp_path, {f"{part}/{name}/1.png": b"" for part in ("train", "test") for name in NAMES})
    write_net(tmp_path / "ws" / "runs" / "pixel", names=("RED", "BLUE"), n_outputs=2, pixel=(16, 16))
    assert run("evaluate", "pixel", path, "--part", "val", "--out", "report") == 1
    assert "set has no part 'val'. Its parts: test, train." in error(capsys)


def test_names_that_mean_nothing_or_two_things(tmp_path, capsys):
    path = in_folder(tmp_path, {file: png(number) for number, file in enumerate(CELLS)})
    assert run("explore", "nothing", "--out", "out.html") == 1
    assert "There is no folder or zip nothing here. There is no dataset 'nothing' in this workspace." in error(capsys)
    dataset = registered("cells", path)
    (tmp_path / "cells").mkdir()
    assert run("explore", "cells", "--out", "out.html") == 1
    assert f"write ./cells for what is here, or {dataset.id} for the dataset." in error(capsys)


def test_a_dataset_that_has_changed_is_refused(tmp_path, capsys):
    path = in_folder(tmp_path, {file: png(number) for number, file in enumerate(CELLS)})
    dataset = registered("cells", path)
    store_groups(dataset, dict.fromkeys(CELLS, "one"), "by hand")
    (path / "train" / "A" / "new.png").write_bytes(png(99))
    assert run("split", "cells", "--folds", 2, "--out", "out.csv") == 1
    assert "Files added: 1, removed: 0, changed: 0. Rescan it on the page Datasets" in error(capsys)
    rescan_dataset(get_dataset("cells", load_settings()))
    assert run("split", "cells", "--folds", 2, "--out", "out.csv") == 1
    assert "The groups stored with cells were found before its images changed" in error(capsys)


def test_leaks_between_the_train_and_test_folders_of_one_set(tmp_path):
    same = draw_field(3, 1, 120, 160, scale=0.4).rgb
    files = {"train/A/1.png": same, "train/B/2.png": draw_field(4, 1, 120, 160, scale=0.4).rgb, "test/A/3.png": same}
    path = in_folder(tmp_path, {file: encode_png(rgb) for file, rgb in files.items()})
    assert run("leaks", path, "--out", "out.csv") == 0
    (row,) = rows_of(tmp_path / "out.csv")
    assert (row["set_a"], row["file_a"], row["set_b"], row["file_b"]) == (
        "train",
        "train/A/1.png",
        "test",
        "test/A/3.png",
    )
