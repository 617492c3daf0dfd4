"""The command line: what it writes, what it says, its exit codes, and what it must not import."""

import csv
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import bloodcell
from bloodcell.cli import main
from bloodcell.cli.datasets import public_data
from bloodcell.cli.models import classify, find, list_models
from bloodcell.cli.shared import output, summary
from bloodcell.cli.table import COMMANDS, RETIRED_NAMES
from bloodcell.core.errors import BloodcellError, ModelError, StoreError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.public.public_sets import PUBLIC_SETS
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import read_paths
from bloodcell.db.database import open_database
from bloodcell.review import classify_files, intake
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.review.intake import add_files, analyse_waiting
from tests.places import ROOT
from tests.review.batch import MODEL, MODEL_SHA, SMALL_BOX, cell, image, new_batch

JPEG = b"\xff\xd8\xff"
ENGINE = SimpleNamespace(model_name=MODEL, model_sha256=MODEL_SHA, class_names=WHITE_CELLS_4)


def read_as_class_names(images):
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
    """No model and no network: this file tests the commands; tests/cli/test_cli_model.py has the real model."""

    def get_model(name, _settings):
        if name != MODEL:
            raise ModelError(f"There is no model '{name}'.\nThere are: wbc4.")
        return SimpleNamespace(folder=tmp_path)

    monkeypatch.setattr(classify, "get_model", get_model)
    monkeypatch.setattr(classify, "Engine", lambda _folder: ENGINE)
    for module in (classify_files, intake):  # of the command and of the page
        monkeypatch.setattr(module, "analyse", lambda _engine, images: read_as_class_names(images))
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
    assert os.listdir(out.parent) == ["cells.csv"]
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
    assert stderr[stderr.index("6 images") :].splitlines() == [
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
    assert os.listdir(out.parent) == []


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


def test_a_write_protected_output(out, monkeypatch):
    out.write_text("kept")
    monkeypatch.setattr(output.os, "access", lambda _path, _mode: False)  # root may write everywhere
    with pytest.raises(StoreError, match=r"cells.csv is write-protected"):
        output.check_output_file(str(out))
    assert out.read_text() == "kept"


def test_a_full_disk_leaves_the_old_file(out, monkeypatch):
    out.write_text("kept")

    def full(path, _data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"cells.csv cannot be written: No space left on device"):
        output.write_output(out, b"new")
    assert out.read_text() == "kept"
    assert os.listdir(out.parent) == ["cells.csv"]


def test_ctrl_c_writes_nothing(slides, out, monkeypatch, capsys):
    def stopped(_engine, images):
        next(iter(images))
        raise KeyboardInterrupt
        yield

    out.write_text("kept")
    monkeypatch.setattr(classify_files, "analyse", stopped)
    assert run("classify", slides, "--out", out) == 130
    assert capsys.readouterr().err.endswith("error: stopped by the user; no output was written.\n")
    assert out.read_text() == "kept"
    assert os.listdir(out.parent) == ["cells.csv"]


def test_models(monkeypatch, capsys, tmp_path):
    shelf = [
        SimpleNamespace(name="wbc4", class_names=("A", "B"), sha256="c0ffee" * 8, title="Four", folder="/m/wbc4"),
        SimpleNamespace(name="x", class_names=("A",), sha256="0" * 64, title="X\x1b[31m", folder="/m/x"),
    ]
    monkeypatch.setattr(list_models, "list_models", lambda _settings: shelf)
    assert run("models") == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME  CLASSES  SHA256        TITLE   FOLDER",
        "wbc4  A,B      c0ffeec0ffee  Four    /m/wbc4",
        "x     A        000000000000  X\ufffd[31m  /m/x",
    ]


def test_models_of_an_empty_shelf(monkeypatch, capsys):
    monkeypatch.setattr(list_models, "list_models", lambda _settings: [])
    assert run("models") == 0
    assert "There is no model yet, neither in" in capsys.readouterr().err


def test_data_list_names_source_and_licence_of_every_set(capsys):
    assert run("data", "list") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "SIZE", "LICENCE", "WHAT", "SOURCE"]
    for line, public in zip(lines, PUBLIC_SETS, strict=True):
        assert line.startswith(f"{public.name} ")
        assert public.licence in line
        assert line.endswith(public.source)


def test_data_get_prints_the_folder_alone_on_stdout(monkeypatch, capsys, tmp_path):
    def fetch(name, _settings, on_progress, on_message):
        on_progress(50, 100)
        on_progress(100, 100)
        on_message("The checksum is right.")
        return tmp_path / name

    monkeypatch.setattr(public_data, "download_public_set", fetch)
    assert run("data", "get", "bccd") == 0
    stdout, stderr = capsys.readouterr()
    assert stdout == f"{tmp_path / 'bccd'}\n"
    assert "100/100" in stderr
    assert "The checksum is right." in stderr


def test_data_get_of_an_unknown_set(capsys):
    assert run("data", "get", "nosuch") == 1
    assert "There is no public set 'nosuch'. Known: ['bccd', " in error_line(capsys)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "the following arguments are required: COMMAND (see bloodcell --help)"),
        (["classify", "x.jpg"], "the following arguments are required: --out (see bloodcell classify --help)"),
        (["find", "--out", "x.csv"], "the following arguments are required: PATH (see bloodcell find --help)"),
        (["nosuch"], "invalid choice: 'nosuch'"),
        (["data", "get"], "the following arguments are required: NAME"),
    ],
)
def test_usage_errors_are_one_line_with_code_1(capsys, args, said):
    with pytest.raises(SystemExit) as stopped:
        main.main(args)
    assert stopped.value.code == 1
    assert said in error_line(capsys)


def all_commands(parser, prefix=()):
    """Every command with its parser, sub-commands included."""
    for action in parser._actions:
        for name, below in action.choices.items() if isinstance(getattr(action, "choices", None), dict) else ():
            yield (*prefix, name), below
            yield from all_commands(below, (*prefix, name))


@pytest.mark.parametrize("command", [" ".join(words) for words, _ in all_commands(main.build_parser())])
def test_every_command_has_help_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main.main([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert f"Example: bloodcell {command.split()[0]}" in capsys.readouterr().out


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"bloodcell {bloodcell.__version__}\n"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_no_command(argument):
    code = (
        "import sys; from bloodcell.cli.main import main\n"
        f"try: main([{argument!r}])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'tqdm', 'sqlalchemy'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.endswith("[]\n")


def test_a_command_imports_its_own_module_only():
    code = (
        "import sys; from bloodcell.cli.main import build_parser; build_parser(only='models')\n"
        "print([name for name in sys.modules if name.startswith('bloodcell.cli.') and name.count('.') == 3])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "bloodcell.cli.models.list_models" in answer.stdout
    assert "classify" not in answer.stdout


def test_every_module_of_a_command_stands_in_the_table_once():
    folder = ROOT / "bloodcell" / "cli"
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "shared"
    }
    assert sorted(command.module for command in COMMANDS) == sorted(modules - {"main", "table"})


@pytest.mark.parametrize(("former", "today"), RETIRED_NAMES.items())
def test_former_names_of_commands_work_and_are_not_shown(capsys, former, today):
    for words in (["--help"], [former, "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main.main(words)
        assert stopped.value.code == 0
    listed, own = capsys.readouterr().out.split("usage: bloodcell ")[1:]
    assert former not in listed
    assert own.startswith(f"{today} ")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["adapt", "m", "c", "--out", "o"], "held_out", 0.3),
        (["adapt", "m", "c", "--out", "o", "--held-out", "0.2"], "held_out", 0.2),
        (["adapt", "m", "c", "--out", "o", "--held", "0.2"], "held_out", 0.2),
        (["explain", "m", "i", "--out", "o"], "max_cells", 64),
        (["explain", "m", "i", "--out", "o", "--max-cells", "8"], "max_cells", 8),
        (["explain", "m", "i", "--out", "o", "--most", "8"], "max_cells", 8),
    ],
)
def test_former_names_of_options_work_and_are_not_shown(words, name, value):
    parser = main.build_parser(only=words[0])
    assert getattr(parser.parse_args(words), name) == value
    ((_, below),) = [item for item in all_commands(parser) if item[0] == (words[0],)]
    assert not {"--held", "--most"} & set(below.format_help().split())


def test_long_lists_are_cut():
    names = [f"{number}.jpg" for number in range(12)]
    assert summary.format_names("unreadable", names) == [f"  unreadable (12): {', '.join(names[:10])} and 2 more"]
    assert summary.format_names("unreadable", []) == []


def test_nothing_heavy_is_imported():
    code = (
        "import sys; import bloodcell.cli.main;"
        "from bloodcell.cli.models import classify, find, list_models;from bloodcell.cli.datasets import public_data;"
        "print([name for name in ('streamlit', 'tensorflow', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout == "[]\n"


def test_a_closed_pipe_is_no_traceback():
    code = "import sys; from bloodcell.cli.main import main; sys.exit(main(['data', 'list']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as child:
        child.stdout.close()
        said = child.stderr.read()
        assert child.wait() == 1
    assert said == b""
