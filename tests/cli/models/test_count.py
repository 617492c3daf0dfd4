"""The command `count`, with the shipped detector on drawn fields, and `evaluate` of a detector."""

import csv
import io
import json
import zipfile

import pytest
import tifffile

from bloodcell.cli import main
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import encode_png
from bloodcell.review import count_files
from bloodcell.synthetic.gallery import draw_field


@pytest.fixture
def fields(tmp_path):
    """Four drawn fields of one microscope, a file that is no image, and a picture of nothing."""
    folder = tmp_path / "fields"
    folder.mkdir()
    for seed in range(4):
        (folder / f"field {seed}.png").write_bytes(encode_png(draw_field(seed, n_white=2).rgb))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def run(*args):
    return main.main([str(arg) for arg in args])


def read_csv(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def test_every_field_is_counted_and_totals_are_said(fields, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BLOODCELL_RED_CELLS", "3.2")
    out = tmp_path / "counts.csv"
    assert run("count", fields, "--out", out) == 0
    rows = read_csv(out)
    assert [row["file"] for row in rows] == [f"field {seed}.png" for seed in range(4)]
    n_white, n_red = (sum(int(row[name]) for row in rows) for name in ("white_cells", "red_cells"))
    assert 6 <= n_white <= 8  # 8 are drawn
    assert n_red >= 20
    said = capsys.readouterr().err
    assert f"4 fields: {n_white} white cells, {n_red} red cells" in said
    assert "1 red cell = " in said
    assert "unreadable (1): broken.jpg" in said
    assert "estimates, if there are 3.2 x 10^12 red cells per litre: white cells" in said


@pytest.mark.parametrize(("short", "kind"), [("voc", "Pascal VOC"), ("coco", "COCO"), ("yolo", "YOLO")])
def test_boxes_are_written_with_their_images(fields, tmp_path, short, kind):
    out, archive = tmp_path / "counts.csv", tmp_path / "boxes.zip"
    assert run("count", fields, "--out", out, "--boxes", archive, "--format", short) == 0
    with Contents(archive) as contents:
        boxes = read_box_set(contents)
    rows = read_csv(out)
    assert boxes.kind == kind
    assert len(boxes.images) == 4
    assert boxes.label_counts["RBC"] == sum(int(row["red_cells"]) for row in rows)
    assert boxes.label_counts["WBC"] == sum(int(row["white_cells"]) for row in rows)


def test_a_large_image_is_looked_at_in_windows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(count_files, "MAX_PIXELS", 300_000)
    path, out = tmp_path / "slide.tif", tmp_path / "counts.csv"
    tifffile.imwrite(path, draw_field(1, n_white=2).rgb, tile=(128, 128), photometric="rgb", compression="zlib")
    assert run("count", path, "--out", out) == 0
    (row,) = read_csv(out)
    assert int(row["red_cells"]) >= 5
    assert "slide.tif: 1 red cell = " in capsys.readouterr().err


def test_nothing_to_count_ends_with_1(tmp_path, capsys):
    path, out = tmp_path / "broken.jpg", tmp_path / "counts.csv"
    path.write_bytes(b"\xff\xd8\xff")
    assert run("count", path, "--out", out) == 1
    assert read_csv(out) == []
    assert "Scale unknown" in capsys.readouterr().err


def test_a_detector_is_evaluated_on_boxes(fields, tmp_path, capsys):
    archive = tmp_path / "boxes.zip"
    run("count", fields, "--out", tmp_path / "counts.csv", "--boxes", archive)
    assert run("evaluate", "detector", archive, "--out", tmp_path / "report") == 0
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    # Its own boxes, rounded to whole pixels, are the truth here.
    assert metrics["fields"] == 4
    assert metrics["map50"] > 0.95
    assert metrics["by_class"]["WBC"]["centre_recall"] == 1
    assert len(read_csv(tmp_path / "report" / "fields.csv")) == 4
    assert (tmp_path / "report" / "errors.jpg").stat().st_size > 0
    assert "RBC (" in capsys.readouterr().err


def test_boxes_of_no_known_meaning_are_named(tmp_path, fields, capsys):
    archive = tmp_path / "odd.zip"
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "tree"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50]}],
    }
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("a.png", (fields / "field 0.png").read_bytes())
        stream.writestr("a.json", json.dumps(coco))
    run("evaluate", "detector", archive, "--out", tmp_path / "report")
    assert "tree (1 box): left out, no known meaning" in capsys.readouterr().err
