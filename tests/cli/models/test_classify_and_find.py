"""The commands `classify` and `find`: what they write and say, what they refuse, and what they leave behind."""

import csv
import io
import zipfile
from types import SimpleNamespace

import pytest

from bloodcell.cli import main
from bloodcell.cli.models import classify, find
from bloodcell.cli.shared import output
from bloodcell.core.errors import BloodcellError, ModelError, StoreError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import read_paths
from bloodcell.db.database import open_database
from bloodcell.review import classify_files, intake
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.review.intake import add_files, analyse_waiting
from tests.review.batch import MODEL, MODEL_SHA, SMALL_BOX, cell, image, new_batch

JPEG = b"\xff\xd8\xff"
ENGINE = SimpleNamespace(
    model_name=MODEL,
    model_sha256=MODEL_SHA,
    class_names=WHITE_CELLS_4,
    io_spec=SimpleNamespace(needs_white_cell=True),
)


def read_as_class_names(images, _finder=None):
    """Stand in for the pipeline: the words in an image's bytes are its cells; none at all is unreadable."""
    for content in images:
        words = [] if isinstance(content, BloodcellError) else content[3:].decode().split()
        if not words:
            yield image(status="unreadable", message=str(content) if isinstance(content, BloodcellError) else "Bad.")
        elif words[0] == "cat":
            yield image(status="not a blood smear")
        else:
            yield image(*(cell(word, SMALL_BOX) for word in words if word in WHITE_CELLS_4))


@pytest.fixture(autouse=True)
def pipeline(monkeypatch, tmp_path):
    """No model and no network: this file tests the commands; test_shipped_model.py has the real model."""

    def get_model(name, _settings):
        if name != MODEL:
            raise ModelError(f"There is no model '{name}'.\nThere are: wbc4.")
        return SimpleNamespace(folder=tmp_path)

    monkeypatch.setattr(classify, "get_model", get_model)
    monkeypatch.setattr(classify, "Engine", lambda _folder: ENGINE)
    for module in (classify_files, intake):  # of the command and of the page
        monkeypatch.setattr(module, "analyse", lambda _engine, images, _finder: read_as_class_names(images))
    monkeypatch.setattr(find, "find_cells", read_as_class_names)


@pytest.fixture
def slides(tmp_path):
    """A folder with one image of each kind, and a second name for one of them."""
    folder = tmp_path / "slides"
    (folder / "sub").mkdir(parents=True)
    contents = {
        "1.jpg": "MONOCYTE LYMPHOCYTE 1",
        "2.jpg": "NEUTROPHIL 2",
        "10.jpg": "nothing 10",
        "cat.jpg": "cat",
        "sub/2.jpg": "NEUTROPHIL 2",
        "sub/broken.jpg": "",
    }
    for name, words in contents.items():
        (folder / name).write_bytes(JPEG + words.encode())
    return folder


@pytest.fixture
def out(tmp_path):
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "cells.csv"


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def run(*args):
    return main.main([str(arg) for arg in args])


def test_classify_plain(slides, out, capsys):
    assert run("classify", slides, "--model", "wbc4", "--out", out) == 0
    assert rows_of(out) == [
        ["Filename", "Prediction"],
        ["1.jpg", "MONOCYTE"],
        ["2.jpg", "NEUTROPHIL"],
        ["10.jpg", "NO_WHITE_CELL"],
        ["cat.jpg", "NOT_A_SMEAR"],
        ["sub/broken.jpg", "UNREADABLE"],
    ]
    assert [path.name for path in out.parent.iterdir()] == ["cells.csv"]
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert "6/6" in stderr  # the progress bar reached its end
    told = stderr[stderr.index("5 images") :].splitlines()
    assert told == [
        "5 images, 3 cells",
        "  EOSINOPHIL 0, LYMPHOCYTE 1, MONOCYTE 1, NEUTROPHIL 1",
        "  to check: 0, unfamiliar: 0",
        "  no white cell (1): 10.jpg",
        "  not a blood smear (1): cat.jpg",
        "  unreadable (1): sub/broken.jpg (Bad.)",
        "  exact duplicates (1): sub/2.jpg (of 2.jpg)",
        f"model wbc4 ({MODEL_SHA[:12]}), written to {out}",
    ]


def test_classify_full(slides, out):
    assert run("classify", slides, "--out", out, "--full") == 0
    header, *rows = rows_of(out)
    assert header[:8] == ["file", "sha256", "cell_number", "top", "left", "bottom", "right", "prediction"]
    assert [(row[0], row[2], row[7], row[12]) for row in rows] == [
        ("1.jpg", "1", "MONOCYTE", "confident"),
        ("1.jpg", "2", "LYMPHOCYTE", "confident"),
        ("2.jpg", "1", "NEUTROPHIL", "confident"),
        ("10.jpg", "", "", "no white cell"),
        ("cat.jpg", "", "", "not a blood smear"),
        ("sub/broken.jpg", "", "", "unreadable"),
    ]


@pytest.mark.parametrize("flags", [[], ["--full"]])
@pytest.mark.parametrize("portion", [1, 2, 256])
def test_page_and_command_line_write_the_same_bytes(slides, out, tmp_path, monkeypatch, flags, portion):
    monkeypatch.setattr(intake, "CHUNK_IMAGES", portion)
    assert run("classify", slides, "--out", out, *flags) == 0
    db, blobs = open_database(f"sqlite:///{tmp_path / 'page.db'}"), BlobStore(tmp_path / "images")
    batch_id = new_batch(db)
    add_files(db, blobs, batch_id, read_paths([slides]))
    analyse_waiting(db, blobs, batch_id, ENGINE)
    assert out.read_bytes() == (export_per_cell if flags else export_per_image)(db, batch_id)


def test_classify_a_zip(slides, out, tmp_path):
    with zipfile.ZipFile(tmp_path / "slides.zip", "w") as archive:
        archive.write(slides / "1.jpg", "1.jpg")
    assert run("classify", tmp_path / "slides.zip", slides / "2.jpg", "--out", out) == 0
    assert [row[1] for row in rows_of(out)] == ["Prediction", "MONOCYTE", "NEUTROPHIL"]


def test_find(slides, out, capsys):
    assert run("find", slides, "--out", out) == 0
    assert out.read_bytes() == (  # box (200, 300, 230, 340): x 300, y 200, 40 wide, 30 high
        b"file,x,y,width,height\r\n1.jpg,300,200,40,30\r\n1.jpg,300,200,40,30\r\n"
        b"2.jpg,300,200,40,30\r\nsub/2.jpg,300,200,40,30\r\n"
    )
    stderr = capsys.readouterr().err
    lines = stderr[stderr.index("6 images") :].splitlines()
    assert lines.pop(1).startswith("Scale unknown: no image shows red cells enough")
    assert lines == [
        "6 images, 4 cells",
        "  no white cell (1): 10.jpg",
        "  not a blood smear (1): cat.jpg",
        "  unreadable (1): sub/broken.jpg (Bad.)",
        f"written to {out}",
    ]


@pytest.mark.parametrize(("command", "n_lines"), [("classify", 2), ("find", 1)])
def test_no_usable_file_at_all(tmp_path, out, capsys, command, n_lines):
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert run(command, tmp_path / "empty.jpg", "--out", out) == 1
    assert len(rows_of(out)) == n_lines
    assert capsys.readouterr().err.endswith("error: no file could be used; the reasons are above.\n")


@pytest.mark.parametrize("command", ["classify", "find"])
@pytest.mark.parametrize("name", ["=cmd|'C calc'!A0.jpg", '"q".jpg', "🩸 <script>.jpg", "@a\r\nb.jpg"])
def test_strange_names_end_up_escaped(tmp_path, out, command, name):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(JPEG + b"MONOCYTE")
    assert run(command, folder, "--out", out) == 0
    ((text, *_),) = rows_of(out)[1:]
    assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert ".jpg" in text


def error_line(capsys):
    """The one line of an error."""
    lines = [line for line in capsys.readouterr().err.split("\n") if line and "it/s" not in line and "%" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("command", ["classify", "find"])
def test_a_path_that_is_not_there(tmp_path, out, capsys, command):
    assert run(command, tmp_path / "no\nsuch.jpg", "--out", out) == 1
    assert "There is no file or folder" in error_line(capsys)
    assert not out.exists()


def test_an_unknown_model_is_one_line_and_nothing_written(slides, out, capsys):
    assert run("classify", slides, "--model", "nosuch", "--out", out) == 1
    assert error_line(capsys) == "error: There is no model 'nosuch'. There are: wbc4."
    assert [path.name for path in out.parent.iterdir()] == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("missing/cells.csv", r"The output folder .*missing does not exist"),
        (".", "The output must be a file"),
        ("/dev/null", "The output must be a file. Received: /dev/null"),
        ("/proc/cells.csv", "The output file /proc/cells.csv cannot be written: "),
    ],
)
def test_an_unwritable_output_is_told_before_the_work(slides, tmp_path, monkeypatch, target, said):
    def no_work(*_args):
        raise AssertionError("the work has begun")

    monkeypatch.setattr(classify, "get_model", no_work)
    monkeypatch.setattr(find, "read_paths", no_work)
    with pytest.raises(StoreError, match=said):
        output.check_output_file(str(tmp_path / target))
    for command in ("classify", "find"):
        assert run(command, slides, "--out", tmp_path / target) == 1


def test_ctrl_c_writes_nothing(slides, out, monkeypatch, capsys):
    def stopped(_engine, images, _finder):
        next(iter(images))
        raise KeyboardInterrupt
        yield

    out.write_text("kept")
    monkeypatch.setattr(classify_files, "analyse", stopped)
    assert run("classify", slides, "--out", out) == 130
    assert capsys.readouterr().err.endswith("error: stopped by the user; no output was written.\n")
    assert out.read_text() == "kept"
    assert [path.name for path in out.parent.iterdir()] == ["cells.csv"]
