"""`load-model` and `export-model`: a real Keras network onto the shelf, out as a zip and in again, with the same answers."""

import json

import numpy as np
import pytest

from bloodcell.cli import main
from bloodcell.core.settings import load_settings
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.model_store.library import get_model, list_models
from bloodcell.synthetic.gallery import draw_sample_set
from tests.model_store.keras_files import keras_bytes, layer, network
from tests.places import MODELS

SHIPPED = MODELS / "wbc4"

CROPS = np.random.default_rng(1).integers(0, 256, (6, 64, 64, 3), np.uint8)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    return tmp_path / "ws"


def error(capsys, *args):
    assert main.main(["load-model", *map(str, args)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.keras
def test_a_keras_file_becomes_a_model_and_its_zip_the_same_model(home, tmp_path, capsys):
    """The shipped model's own network: its probabilities before temperature and thresholds."""
    names = Engine(SHIPPED).class_names
    args = ["load-model", str(SHIPPED / "model.keras"), "--classes", ",".join(names), "--name", "loaded"]
    assert main.main(args) == 0
    said = capsys.readouterr().err
    assert "Exporting it to ONNX and comparing the predictions ..." in said
    assert "it has no measured thresholds: every cell will be marked check" in said
    settings = load_settings()
    folder = get_model("loaded", settings).folder
    assert folder == home / "runs" / "loaded"
    assert [path.name for path in home.iterdir()] == ["runs"]  # nothing else is left behind
    engine, shipped = Engine(folder), Engine(SHIPPED)
    ours, theirs = engine.classify(CROPS), shipped.classify(CROPS)
    powers = ours.probs.astype(float) ** (1 / shipped.temperature)
    assert theirs.probs == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-4)
    results = list(analyse(engine, [data for _, data in draw_sample_set(3)]))
    assert {cell.status for result in results for cell in result.cells} == {"check"}
    assert "every cell gets the status check" in (folder / "README.md").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["parameters"] == json.loads((SHIPPED / "metrics.json").read_text())["parameters"]
    assert metrics["loading"]["largest_difference"] < 1e-3

    assert main.main(["export-model", "loaded", "--out", str(tmp_path / "out.zip")]) == 0
    assert main.main(["load-model", str(tmp_path / "out.zip")]) == 0
    again = Engine(get_model("loaded-2", settings).folder)
    assert again.model_sha256 == engine.model_sha256
    assert np.array_equal(again.classify(CROPS).probs, ours.probs)


@pytest.mark.keras
@pytest.mark.usefixtures("home")
def test_what_is_refused_is_one_line(tmp_path, capsys):
    def file(name, data):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    plain = file("plain.keras", keras_bytes())
    assert "There is no file" in error(capsys, tmp_path / "none.keras")
    assert "old HDF5 format" in error(capsys, file("net.h5", b"x"), "--classes", "A,B")
    assert "needs 2 to 1,000 class names. Received: 0" in error(capsys, plain)
    assert "has 4 classes. Received: 2 class names" in error(capsys, plain, "--classes", "A,B")
    assert "must start with a letter" in error(capsys, plain, "--classes", "A,B,C,D", "--name", "../evil")
    hostile = file("code.keras", keras_bytes(network(layer("Lambda", function="os.system"))))
    assert "Lambda is not allowed" in error(capsys, hostile, "--classes", "A,B,C,D")
    assert "leave out --classes" in error(capsys, file("a.zip", b"PK"), "--classes", "A,B")
    assert "This zip file cannot be imported as a model" in error(capsys, file("a.zip", b"PK"))
    assert not [model for model in list_models(load_settings()) if not model.is_shipped]


@pytest.mark.usefixtures("home")
def test_export_needs_a_model_and_a_place(tmp_path, capsys):
    assert main.main(["export-model", "none", "--out", str(tmp_path / "a.zip")]) == 1
    assert "There is no model 'none' in the model library" in capsys.readouterr().err
    assert main.main(["export-model", SHIPPED.name, "--out", str(tmp_path / "gone" / "a.zip")]) == 1
    assert "does not exist" in capsys.readouterr().err
