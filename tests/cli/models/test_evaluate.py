import json

import numpy as np
import pytest

from bloodcell.cli import main
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.inference.net import write_net

NAMES = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    write_net(tmp_path / "ws" / "runs" / "pixel", names=NAMES, n_outputs=4, pixel=(16, 16))
    return tmp_path


@pytest.fixture
def dataset(tmp_path):
    """Two cells of each class, and a picture without a cell."""
    for number in range(8):
        path = tmp_path / "set" / NAMES[number % 4].lower() / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb = draw_field(number, 1, 120, 120, scale=0.45, class_names=[NAMES[number % 4]]).rgb
        path.write_bytes(encode_png(rgb))
    (tmp_path / "set" / "monocyte" / "blank.png").write_bytes(encode_png(np.full((120, 120, 3), 220, np.uint8)))
    return tmp_path / "set"


def run(*args):
    return main.main(["evaluate", *map(str, args)])


def test_writes_figures_and_predictions(dataset, tmp_path, capsys):
    assert run("pixel", dataset, "--out", tmp_path / "new" / "report", "--groups", "each") == 0
    measured = json.loads((tmp_path / "new" / "report" / "metrics.json").read_text())
    assert measured.keys() >= {"accuracy", "balanced_accuracy", "recall", "interval", "ece", "held_back"}
    assert (measured["images"], measured["source_cells"], measured["not_answered"]) == (9, 9, 1)
    assert measured["recall"].keys() == set(NAMES)
    assert (measured["model"], measured["dataset"], measured["groups"]) == ("pixel", "set", "each")
    rows = (tmp_path / "new" / "report" / "predictions.csv").read_text().splitlines()
    assert len(rows) == 1 + 9
    right = sum(row.split(",")[1] == row.split(",")[2] for row in rows[1:])
    assert measured["accuracy"] == pytest.approx(right / 9, abs=1e-4)
    there = sorted(path.name for path in (tmp_path / "new" / "report").iterdir())
    assert there == ["answers.parquet", "evaluation.json", "metrics.json", "predictions.csv"]
    kept = read_evaluation(tmp_path / "new" / "report")
    assert kept.report.metrics["accuracy"].value == measured["accuracy"]
    assert kept.report.confusion == measured["confusion"]
    assert (kept.prediction_table.loc[kept.prediction_table["prediction"] == "", "bottom"] == -1).all()
    assert (kept.prediction_table.loc[kept.prediction_table["prediction"] != "", "bottom"] > 0).all()
    assert "accuracy" in capsys.readouterr().err


def test_a_model_folder_and_a_file_of_groups_will_do(dataset, tmp_path):
    groups = tmp_path / "cells.csv"
    files = sorted(path.relative_to(dataset).as_posix() for path in dataset.rglob("*.png"))
    groups.write_text("file,group\n" + "".join(f"{file},{file.split('/')[0]}\n" for file in files))
    model = tmp_path / "ws" / "runs" / "pixel"
    assert run(model, dataset, "--out", tmp_path / "report", "--groups", groups) == 0
    measured = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert (measured["source_cells"], measured["groups"]) == (4, "cells.csv")


@pytest.mark.parametrize(
    ("model", "data", "groups", "message"),
    [
        ("nowhere", "set", "each", "There is no model 'nowhere'"),
        ("pixel", "nowhere", "each", "There is no dataset at"),
        ("pixel", "ws", "each", "There are no images"),
        ("pixel", "others", "each", "No image is labelled EOSINOPHIL"),
        ("pixel", "parts", "each", "parts has the parts test, train: choose one with --part."),
        ("pixel", "set", "none.csv", "The table none.csv cannot be read"),
    ],
)
@pytest.mark.usefixtures("dataset")
def test_errors_are_one_line_and_write_nothing(tmp_path, capsys, model, data, groups, message):
    for name in ("others/OTHER/1", "others/MORE/1", "parts/train/A/1", "parts/train/B/1", "parts/test/A/1"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / f"{name}.png").write_bytes(b"")
    assert run(model, tmp_path / data, "--out", tmp_path / "report", "--groups", groups) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert message in line
    assert not list((tmp_path / "report").glob("*"))


def test_an_output_folder_that_cannot_be_made(dataset, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run("pixel", dataset, "--out", tmp_path / "file" / "report", "--groups", "each") == 1
    assert "output folder" in capsys.readouterr().err
