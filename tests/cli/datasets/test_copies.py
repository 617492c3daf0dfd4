"""The commands groups, split and leaks: what they write and say."""

import csv
import io

import cv2
import pytest

from bloodcell.cli import main
from bloodcell.cli.shared import groups
from bloodcell.synthetic.gallery import draw_field
from tests.datasets.copies.test_groups import relit, turned


def run(*args):
    return main.main([str(arg) for arg in args])


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def said(capsys):
    """Lines on stderr but those of progress bars."""
    lines = capsys.readouterr().err.replace("\r", "\n").split("\n")
    return [line for line in lines if line and "step/s" not in line and "?it" not in line]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two classes; cell 0 of each has a copy, and one file is no picture."""
    folder = tmp_path_factory.mktemp("set") / "train"
    for label, seeds in (("A", (0, 1)), ("B", (2, 3))):
        (folder / label).mkdir(parents=True)
        for number, seed in enumerate(seeds):
            rgb = draw_field(seed, 1, 240, 320).rgb
            cv2.imwrite(str(folder / label / f"C{number}P1.png"), rgb)
            if number == 0:
                cv2.imwrite(str(folder / label / "C5P1.png"), turned(rgb, 30))
    (folder / "B" / "C9P1.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def out(tmp_path):
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "out.csv"


def test_groups_from_pixels(dataset, out, capsys):
    assert run("groups", dataset, "--out", out) == 0
    header, *rows = rows_of(out)
    assert header == ["file", "group"]
    of = dict(rows)
    assert list(of) == [
        "A/C0P1.png",
        "A/C1P1.png",
        "A/C5P1.png",
        "B/C0P1.png",
        "B/C1P1.png",
        "B/C5P1.png",
        "B/C9P1.png",
    ]
    assert of["A/C0P1.png"] == of["A/C5P1.png"]
    assert of["B/C0P1.png"] == of["B/C5P1.png"]
    assert len(set(of.values())) == 5
    told = said(capsys)
    assert told[0].startswith("  unreadable, each a group of its own (1): B/C9P1.png (")
    assert told[1:] == ["7 images, 5 groups, the largest with 2 images, 3 with one image", f"written to {out}"]


@pytest.mark.process
def test_groups_by_pattern_and_by_table(dataset, out, tmp_path):
    assert run("groups", dataset, "--pattern", r"^C(\d+)", "--out", out) == 0
    assert dict(rows_of(out)[1:])["B/C9P1.png"] == "9"
    files = [row[0] for row in rows_of(out)[1:]]
    table = tmp_path / "patients.csv"
    table.write_text("Filename,patient\n" + "".join(f"{file},{file[0]}\n" for file in files))
    assert run("groups", dataset, "--csv", table, "--column", "patient", "--out", out) == 0
    assert dict(rows_of(out)[1:])["B/C9P1.png"] == "B"


@pytest.mark.process
def test_groups_of_a_flat_folder(dataset, out):
    assert run("groups", dataset / "A", "--pattern", r"^C(\d+)", "--out", out) == 0
    assert rows_of(out)[1:] == [["C0P1.png", "0"], ["C1P1.png", "1"], ["C5P1.png", "5"]]


def test_split_into_folds_by_pixels(dataset, out, capsys):
    assert run("split", dataset, "--folds", 2, "--out", out) == 0
    header, *rows = rows_of(out)
    assert header == ["file", "group", "label", "split"]
    part = {file: name for file, _, _, name in rows}
    assert set(part.values()) == {"fold0", "fold1"}
    assert part["A/C0P1.png"] == part["A/C5P1.png"]
    assert part["B/C0P1.png"] == part["B/C5P1.png"]
    assert any(line.startswith("fold0: ") and "groups: A " in line for line in said(capsys))


@pytest.fixture
def grouped(tmp_path):
    """Two classes of files without bytes, with their groups by name."""
    folder = tmp_path / "many"
    for label in "AB":
        (folder / label).mkdir(parents=True)
        for number in range(12):
            (folder / label / f"{number // 2}_{number}.png").write_bytes(b"")
    path = tmp_path / "groups.csv"
    assert run("groups", folder, "--pattern", r"(\d+)_", "--out", path) == 0
    return folder, path


@pytest.mark.process
def test_split_with_groups_and_test_part(grouped, out, tmp_path, capsys):
    folder, path = grouped
    assert run("split", folder, "--groups", path, "--holdout", 0.2, "--test", 0.2, "--seed", 3, "--out", out) == 0
    first = out.read_bytes()
    assert {row[3] for row in rows_of(out)[1:]} == {"train", "validation", "test"}
    assert run("split", folder, "--groups", path, "--holdout", 0.2, "--test", 0.2, "--seed", 3, "--out", out) == 0
    assert out.read_bytes() == first
    (tmp_path / "test.csv").write_text("file\nA/0_0.png\n")
    capsys.readouterr()
    assert run("split", folder, "--groups", path, "--folds", 2, "--test", tmp_path / "test.csv", "--out", out) == 0
    of = {row[0]: row[3] for row in rows_of(out)[1:]}
    assert of["A/0_0.png"] == "test"
    assert of["A/0_1.png"] == of["B/0_0.png"] == "excluded"
    assert "warning: Excluded because they share a group with a fixed test image: 3 images." in said(capsys)
    assert run("split", folder, "--leaky", "--folds", 2, "--test", "B/", "--out", out) == 0
    assert {row[0][0] for row in rows_of(out)[1:] if row[3] == "test"} == {"B"}


@pytest.mark.process
def test_a_leaky_split_says_so(grouped, out, capsys):
    folder, _ = grouped
    assert run("split", folder, "--folds", 2, "--leaky", "--out", out) == 0
    header, *rows = rows_of(out)
    assert header == ["file", "group", "label", "split", "leaky"]
    assert {row[4] for row in rows} == {"leaky"}
    assert any(line.startswith("warning: this split is leaky") for line in said(capsys))


def test_leaks_of_two_sets(dataset, out, tmp_path, capsys):
    test = tmp_path / "test"
    test.mkdir()
    cv2.imwrite(str(test / "x.png"), relit(draw_field(1, 1, 240, 320).rgb))
    cv2.imwrite(str(test / "y.png"), draw_field(9, 1, 240, 320).rgb)
    assert run("leaks", dataset, test, "--out", out) == 0
    ((*names, _, _, _, _),) = rows_of(out)[1:]
    assert names == ["train", "A/C1P1.png", "A", "test", "x.png", "", "near copy"]
    unlabelled, *told = said(capsys)
    assert unlabelled == "test: no labels found; all images are used"
    assert told[0] == "1 pair, 0 exact duplicates, 1 with different labels"
    assert told[1] == "train: 1 of 7 images (14.3%) and 1 of 5 source cells also occur in another dataset"
    assert told[2] == "test: 1 of 2 images (50.0%) and 1 of 2 source cells also occur in another dataset"
    assert told[3].startswith("  unreadable, compared for exact duplicates only (1): B/C9P1.png in train (")


def test_leaks_of_a_split(dataset, out, tmp_path, capsys):
    split = tmp_path / "split.csv"
    rows = ["A/C0P1.png,0,A,train", "A/C1P1.png,1,A,train", "A/C5P1.png,2,A,test", "B/C0P1.png,2,A,excluded"]
    split.write_text("file,group,label,split\n" + "\n".join(rows) + "\n")
    assert run("leaks", dataset, "--split", split, "--out", out) == 0
    assert [row[:7] for row in rows_of(out)[1:]] == [
        ["train", "A/C0P1.png", "A", "test", "A/C5P1.png", "A", "near copy"]
    ]
    split.write_text("file,group,label,split\nA/gone.png,0,A,train\nA/C1P1.png,1,A,test\n")
    assert run("leaks", dataset, "--split", split, "--out", out) == 1
    assert said(capsys)[-1] == "error: split.csv must name images of train. It has no image A/gone.png."


@pytest.mark.process
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["groups", "{set}", "--csv", "x.csv"], "--csv and --column go together"),
        (["groups", "{set}", "--pattern", "("], "is not a regular expression"),
        (["groups", "{set}/nothing"], "There is no dataset at"),
        (["split", "{set}", "--folds", "9"], "9 folds need at least 9 groups"),
        (["split", "{set}", "--folds", "2", "--test", "1.5"], "The share of --test must be above 0 and below 1"),
        (
            ["split", "{set}", "--folds", "2", "--test", "C"],
            "--test takes a share, a part or folder of the dataset, or a CSV",
        ),
        (
            ["split", "{set}", "--folds", "2", "--groups", "each"],
            "--groups each would separate copies of the same cell",
        ),
        (["split", "{set}", "--folds", "2", "--groups", "{groups}"], "There is none for A/C1P1.png and 5 others"),
        (["split", "{set}/A", "--folds", "2", "--leaky"], "The labels of A are not clear; choose with an option"),
        (
            ["leaks", "{set}"],
            "or one dataset with --split FILE or with train and test folders. train has no such folders",
        ),
        (["leaks", "{set}", "{set}", "--split", "x"], "`leaks` takes two datasets"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(dataset, out, tmp_path, capsys, monkeypatch, args, message):
    monkeypatch.setattr(groups, "group_images", None)  # each is told before the long search
    (tmp_path / "groups.csv").write_text("file,group\nA/C0P1.png,1\n")
    args = [arg.format(set=dataset, groups=tmp_path / "groups.csv") for arg in args]
    assert run(*args, "--out", out) == 1
    (line,) = said(capsys)
    assert line.startswith("error: ")
    assert message in line
    assert list(out.parent.iterdir()) == []
