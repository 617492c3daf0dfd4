"""The commands `report` and `compare` on drawn cells: what they write, what they say, what they refuse."""

import csv
import json
import shutil

import pytest

from bloodcell.cli import main
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.inference.net import write_net
from tests.pages.tiny_model import CLASS_NAMES, write_tiny_model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two models of the same classes, one of others, one that shares no class, and cells of five classes."""
    home = tmp_path_factory.mktemp("reports")
    runs = home / "ws" / "runs"
    write_tiny_model(runs / "tiny")
    write_net(runs / "pixel", names=CLASS_NAMES, n_outputs=4, pixel=(16, 16))
    write_net(runs / "three", names=("basophil", "lymphocyte", "monocyte"), pixel=(16, 16))
    write_net(runs / "others", names=("RED", "GREEN", "BLUE"))
    for number in range(10):
        label = (*CLASS_NAMES, "BASOPHIL")[number % 5]
        path = home / "set" / label.lower() / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(draw_field(number, 1, 120, 120, scale=0.45).rgb))
    return home


@pytest.fixture(autouse=True)
def workspace(home, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(home / "ws"))


@pytest.fixture(scope="module")
def kept(home):
    """What `evaluate` wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOODCELL_HOME", str(home / "ws"))
        assert run("evaluate", "tiny", home / "set", "--out", home / "kept", "--groups", "each") == 0
    return home / "kept"


def run(*args):
    return main.main([*map(str, args)])


def last_error(capsys):
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    return line


def test_report_as_html_and_pdf(home, kept, tmp_path, capsys):
    assert run("report", kept, "--out", tmp_path / "it.html") == 0
    text = (tmp_path / "it.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in text
    command = read_evaluation(kept).protocol.command
    assert command == f"bloodcell evaluate tiny {home / 'set'} --groups each --out {kept}"
    assert command in text
    assert run("report", kept, "--out", tmp_path / "it.PDF") == 0
    assert (tmp_path / "it.PDF").read_bytes().startswith(b"%PDF-")
    assert "written to" in capsys.readouterr().err


def test_report_of_the_workspace_without_its_pictures(home, kept, tmp_path, capsys):
    folder = home / "ws" / "evaluations" / "mine"
    shutil.copytree(kept, folder)
    described = json.loads((folder / "evaluation.json").read_text())
    described["protocol"]["path"] = str(home / "gone")
    (folder / "evaluation.json").write_text(json.dumps(described))
    assert run("report", "mine", "--out", tmp_path / "it.html") == 0
    assert "The images cannot be shown: the dataset set is no longer there." in capsys.readouterr().err
    text = (tmp_path / "it.html").read_text(encoding="utf-8")
    assert "<img" not in text[text.index("<body>") :]


@pytest.mark.parametrize(
    ("what", "out", "message"),
    [
        ("nowhere", "it.html", "There is no evaluation 'nowhere'"),
        ("set", "it.html", "holds no evaluation"),
        ("kept", "it.txt", "must be a file that ends in .html or .pdf. Received: it.txt"),
        ("kept", "none/it.html", "does not exist"),
    ],
)
@pytest.mark.usefixtures("kept")
def test_report_refuses_in_one_line(home, tmp_path, capsys, what, out, message):
    asked = home / what if (home / what).exists() else what
    assert run("report", asked, "--out", tmp_path / out) == 1
    assert message in last_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_compare_models_of_the_same_classes(home, tmp_path, capsys):
    out = tmp_path / "new" / "compared"
    assert run("compare", "tiny", "pixel", "--data", home / "set", "--out", out, "--groups", "each") == 0
    shown = capsys.readouterr()
    names = {path.name for path in out.iterdir()}
    assert names == {"tiny", "pixel", "leaderboard.csv", "comparison.json", "compare.html"}
    (one,) = json.loads((out / "comparison.json").read_text())
    assert (one["first"], one["second"], one["n_cells"]) == ("tiny", "pixel", 8)
    assert shown.out.splitlines() == [one["sentence"]]
    first, second = (read_evaluation(out / name) for name in ("tiny", "pixel"))
    accuracy = [each.report.metrics["accuracy"].value for each in (first, second)]
    assert one["accuracy"]["value"] == pytest.approx(accuracy[1] - accuracy[0], abs=1e-3)
    rows = list(csv.DictReader((out / "leaderboard.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {row["model"]: float(row["accuracy"]) for row in rows} == dict(zip(("tiny", "pixel"), accuracy, strict=True))
    assert rows[0]["leaking_images"] == ""
    text = (out / "compare.html").read_text(encoding="utf-8")
    assert one["sentence"] in text
    assert text.index("tiny: It is not known which images") < text.index(one["sentence"])
    assert "data:image/jpeg;base64," in text
    assert f"compare tiny pixel --data {home / 'set'} --groups each --out {out}" in text
    assert "left out: 2 images of classes that not all models know: basophil 2" in shown.err
    assert run("report", out / "tiny", "--out", tmp_path / "tiny.html") == 0


def test_compare_keeps_the_labels_common_to_all(home, tmp_path, capsys):
    assert run("compare", "three", "tiny", "--data", home / "set", "--out", tmp_path, "--groups", "each") == 0
    assert "left out: 6 images of classes that not all models know: basophil 2, eosinophil 2" in capsys.readouterr().err
    first, second = (read_evaluation(tmp_path / name) for name in ("three", "tiny"))
    assert first.report.n_images == second.report.n_images == 4
    assert (
        first.protocol.excluded_labels
        == second.protocol.excluded_labels
        == {"basophil": 2, "eosinophil": 2, "neutrophil": 2}
    )
    assert (tmp_path / "compare.html").is_file()


@pytest.mark.parametrize(
    ("models", "data", "message"),
    [
        (["tiny"], "set", "A comparison needs two or more models. Received: 1."),
        (["tiny", "tiny"], "set", "Each model must have its own name. Received more than once: tiny"),
        (["tiny", "nowhere"], "set", "There is no model 'nowhere'"),
        (["tiny", "others"], "set", "The models have no class in common. tiny: EOSINOPHIL"),
        (["tiny", "pixel"], "nowhere", "There is no dataset at"),
    ],
)
def test_compare_refuses_in_one_line(home, tmp_path, capsys, models, data, message):
    assert run("compare", *models, "--data", home / data, "--out", tmp_path / "out", "--groups", "each") == 1
    assert message in last_error(capsys)
    assert not (tmp_path / "out").exists()


def test_an_evaluation_can_be_submitted_as_the_report_says(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)
    spec = {"name": "mine", "model": "tiny", "data": {"name": "set", "path": "set", "layout": "folders"}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert run("jobs", "submit", tmp_path / "spec.json", "--kind", "evaluate", "--data", home) == 0
    assert run("jobs", "submit", tmp_path / "none.json", "--kind", "evaluate", "--data", home) == 1
    assert "The spec of an evaluation" in last_error(capsys)
