"""The command line with the shipped model, whole: real files in, real CSV out, in a process of its own."""

import csv
import io
import subprocess
import sys
import time

import pytest

from bloodcell.core.labels import PER_IMAGE_WORDS, WHITE_CELLS_4
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.datasets.sources.uploads import read_paths
from bloodcell.db.database import open_database
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.read import encode_png
from bloodcell.inference.engine import Engine
from bloodcell.review.batches import create_batch
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.review.intake import add_files, analyse_waiting
from bloodcell.synthetic.gallery import draw_field, draw_sample_set
from tests.places import ROOT

MODEL = ROOT / "models" / "wbc4"

pytestmark = pytest.mark.process
needs_model = pytest.mark.skipif(not MODEL.joinpath("model.onnx").is_file(), reason="models/wbc4 is not trained yet")

# Runs one command and then says which heavy modules it pulled in.
WATCHED = (
    "import sys; from bloodcell.cli.main import main; code = main(sys.argv[1:]);"
    "heavy = [name for name in ('streamlit', 'tensorflow', 'keras') if name in sys.modules];"
    "sys.exit(f'imported {heavy}' if heavy else code)"
)


def run(*args):
    command = [sys.executable, "-c", WATCHED, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """The sample set, a picture with two known cells, a cut file and a text that calls itself a picture."""
    folder = tmp_path_factory.mktemp("slides")
    for name, data in draw_sample_set(n=6, seed=1):
        (folder / name).write_bytes(data)
    (folder / "two.png").write_bytes(encode_png(draw_field(seed=5, n_white=2).rgb))
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "text.jpg").write_text("not a picture")
    return folder


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


@needs_model
@pytest.mark.parametrize("flags", [[], ["--full"]])
def test_page_and_command_line_write_the_same_bytes(slides, tmp_path, flags):
    out = tmp_path / "out.csv"
    answer = run("classify", slides, "--model", "wbc4", "--out", out, *flags)
    assert answer.returncode == 0, answer.stderr
    db, blobs, engine = open_database(f"sqlite:///{tmp_path / 'b.db'}"), BlobStore(tmp_path / "images"), Engine(MODEL)
    batch_id = create_batch(db, "page", engine.model_name, engine.model_sha256, engine.class_names, "Ada")
    add_files(db, blobs, batch_id, read_paths([slides]))
    analyse_waiting(db, blobs, batch_id, engine)
    assert out.read_bytes() == (export_per_cell if flags else export_per_image)(db, batch_id)


@needs_model
def test_classify_says_something_of_every_image(slides, tmp_path):
    out = tmp_path / "out.csv"
    start = time.perf_counter()
    answer = run("classify", slides, "--model", "wbc4", "--out", out)
    assert time.perf_counter() - start < 20
    header, *rows = rows_of(out)
    assert header == ["Filename", "Prediction"]
    assert sorted(name for name, _ in rows) == sorted(path.name for path in slides.iterdir())
    assert {word for _, word in rows} <= {*WHITE_CELLS_4, *PER_IMAGE_WORDS.values()}
    words = dict(rows)
    assert (words["cut.jpg"], words["text.jpg"]) == ("UNREADABLE", "UNREADABLE")
    assert "unreadable (2): cut.jpg (" in answer.stderr


def test_find_gives_the_drawn_boxes(slides, tmp_path):
    out = tmp_path / "boxes.csv"
    answer = run("find", slides, "--out", out)
    assert answer.returncode == 0, answer.stderr
    header, *rows = rows_of(out)
    assert header == ["file", "x", "y", "width", "height"]
    found = [tuple(map(int, row[1:])) for row in rows if row[0] == "two.png"]
    boxes = [Box(y, x, y + height, x + width) for x, y, width, height in found]
    truth = draw_field(seed=5, n_white=2).boxes
    assert len(boxes) == len(truth) == 2
    assert all(max(iou(box, true) for box in boxes) > 0.5 for true in truth)


def test_models_and_data_list():
    assert run("models").returncode == 0
    listed = run("data", "list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("NAME")


@pytest.mark.parametrize(
    "args",
    [["data", "get", "nosuch"], ["classify", ".", "--model", "nosuch", "--out", "/tmp/x.csv"], ["find", "nosuch"]],
)
def test_errors_are_one_line_with_code_1(args):
    answer = run(*args)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in answer.stderr
