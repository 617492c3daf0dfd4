"""A whole training run on a few drawn cells, and what it refuses."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ModelError, RunError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.progress import Control
from bloodcell.imaging.read import read_rgb
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.model_store.folder import OUT_OF_FOLD_FILE
from bloodcell.model_store.io_spec import ModelIOSpec, read_io_spec
from bloodcell.model_store.library import read_model
from bloodcell.model_store.versions import read_revision
from bloodcell.training.fitting.batches import cut_centre_crops
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.fitting.train import train
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.description import describe_model
from bloodcell.training.samples.samples import build_io_spec, load_samples
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.tiny_run import CELLS_PER_CLASS, FOREIGN_WARNINGS, SPEC, trained, write_cells

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory)


def test_the_run_folder_is_a_model(run):
    _, run_dir = run
    model = read_model(run_dir)
    assert model.class_names == WHITE_CELLS_4
    assert {path.name for path in run_dir.iterdir()} >= {
        "model.keras",
        "model.onnx",
        "feature_statistics.npz",
        "spec.json",
        "metrics.json",
        "history.csv",
        "README.md",
    }
    assert not list(run_dir.glob("*.part"))


def test_the_spec_can_be_trained_again(run):
    description = json.loads((run[1] / "spec.json").read_text())
    assert TrainSpec.from_json(json.dumps(description["training"])) == SPEC
    assert description["data"]["cells"] == dict.fromkeys(WHITE_CELLS_4, 2 * CELLS_PER_CLASS) | {
        "cells": 4 * CELLS_PER_CLASS,
        "unknown": 0,
    }


def test_the_spec_says_how_levels_are_scaled(run):
    description = json.loads((run[1] / "spec.json").read_text())
    assert description["scaling"] == "levels 0-255, background balanced to 235; scaled to -1..1 inside the graph"
    assert "scaling_statistics" not in description


def test_the_spec_says_what_the_network_takes_and_gives(run):
    description = json.loads((run[1] / "spec.json").read_text())
    assert read_io_spec(description, "drawn") == ModelIOSpec(
        32, 32, "cell", SPEC.context, ("logits", "known", "features")
    )
    assert description["side_px"] == 32


def test_metrics_history_and_card(run):
    _, run_dir = run
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics["no_cell"] == {"cells": 0}
    # a third of 24 cells is held out, each with its two copies
    assert metrics["validation"]["images"] == 2 * metrics["validation"]["source_cells"]
    assert metrics["validation"]["source_cells"] == pytest.approx(8, abs=4)
    with (run_dir / "history.csv").open() as handle:
        assert [row["epoch"] for row in csv.DictReader(handle)] == ["1"]
    card = (run_dir / "README.md").read_text()
    assert "medical device" in card
    assert "| cells |" in card


def test_the_engine_predicts_as_keras_does(run, tmp_path):
    data_dir, run_dir = run
    engine = Engine(run_dir)
    samples = load_samples(SPEC, data_dir, tmp_path)
    crops = cut_centre_crops(samples.stored_crops[:], SPEC)
    scores = engine.classify(crops)
    assert scores.probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
    model = keras.models.load_model(run_dir / "model.keras")
    answered = keras.ops.convert_to_numpy(model(crops.astype(np.float32), training=False)["logits"])
    powers = np.exp(answered.astype(np.float64) / engine.temperature)
    assert scores.probs == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-3)


def test_training_sees_the_crops_that_use_sees(run, tmp_path):
    """The middle of a stored wide crop is the crop that the pipeline would make: same framing, same lamp."""
    from bloodcell.imaging.crop import crop_cell
    from bloodcell.imaging.find import find_white_cells

    data_dir, _ = run
    samples = load_samples(SPEC, data_dir, tmp_path)
    for row in (0, 7, 30):
        rgb = read_rgb((data_dir / "cells" / samples.file[row]).read_bytes())
        finding = find_white_cells(rgb)
        crop = crop_cell(rgb, finding.boxes[0], SPEC.height_px, SPEC.context, finding.background_rgb)
        assert np.abs(cut_centre_crops(samples.stored_crops[row : row + 1], SPEC)[0].astype(int) - crop).mean() < 8


def test_the_pipeline_takes_the_model(run):
    data_dir, run_dir = run
    image = (data_dir / "cells" / "MONOCYTE" / "0-0.png").read_bytes()
    (result,) = analyse(Engine(run_dir), [image])
    assert result.cells[0].class_name in WHITE_CELLS_4


@pytest.mark.usefixtures("without_graphs")
def test_a_model_of_all_cells_has_thresholds_from_runs_that_left_cells_out(run, tmp_path):
    lines = []
    control = Control()
    control.log = lines.append
    metrics = train(replace(SPEC, fold=-1, folds=2), run[0], tmp_path / "all", tmp_path / "cache", control)
    assert metrics["validation"]["source_cells"] == 4 * CELLS_PER_CLASS
    assert metrics["validation"]["images"] == 8 * CELLS_PER_CLASS
    assert "a fit that was not trained on it (2 folds)" in metrics["validation"]["protocol"]
    n_crops = [int(line.split()[-3]) for line in lines if line.endswith("training crops")]
    assert n_crops[-1] == 8 * CELLS_PER_CLASS  # the model itself
    assert sum(8 * CELLS_PER_CLASS - n for n in n_crops[:-1]) == 8 * CELLS_PER_CLASS  # each held out once
    assert len(Outputs.load(tmp_path / "all" / OUT_OF_FOLD_FILE).logits) == 8 * CELLS_PER_CLASS
    assert 0.5 <= Engine(tmp_path / "all").thresholds.min_confidence <= 1


def test_a_run_folder_with_something_in_it_is_refused(run):
    before = sorted(path.name for path in run[1].iterdir())
    with pytest.raises(RunError, match=r"run folder .*drawn is not empty\. Choose a new one"):
        train(SPEC, run[0], run[1], run[1].parent, Control())
    assert sorted(path.name for path in run[1].iterdir()) == before


def test_a_class_without_a_cell_is_named(run, tmp_path):
    spec = replace(SPEC, class_names=(*WHITE_CELLS_4, "BASOPHIL"))
    with pytest.raises(DatasetError, match="There is no BASOPHIL to train on"):
        train(spec, run[0], tmp_path / "run", tmp_path / "cache", Control())


class ForgetsItself(keras.layers.Layer):
    """A layer that answers differently each time it is called, as a badly exported one would."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x + self.calls


def net(layer):
    crops = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(crops)
    logits = keras.layers.Dense(2)(layer(features))
    return keras.Model(crops, {"logits": logits, "known": keras.layers.Dense(1)(features)})


def test_export_accepts_a_network_that_agrees(tmp_path):
    export_onnx(net(keras.layers.Identity()), tmp_path / "model.onnx", np.full((2, 8, 8, 3), 100, np.uint8))
    assert (tmp_path / "model.onnx").is_file()


def test_export_refuses_a_network_that_differs(tmp_path):
    with pytest.raises(ModelError, match=r"exported network differs from Keras by .* in 'logits': not accepted"):
        export_onnx(net(ForgetsItself()), tmp_path / "model.onnx", np.full((2, 8, 8, 3), 100, np.uint8))
    assert not (tmp_path / "model.onnx").exists()


def test_export_refuses_a_network_whose_outputs_are_no_numbers(tmp_path):
    not_a_number = keras.layers.Rescaling(float("nan"))
    with pytest.raises(ModelError, match="differs from Keras by nan in 'logits'"):
        export_onnx(net(not_a_number), tmp_path / "model.onnx", np.full((2, 8, 8, 3), 100, np.uint8))


def test_drawn_cells_are_what_they_say(tmp_path):
    """The helper itself: every image shows one cell, and the copies share a group."""
    samples = load_samples(SPEC, write_cells(tmp_path / "data"), tmp_path / "cache")
    assert len(samples.file) == 8 * CELLS_PER_CLASS
    assert len(np.unique(samples.group)) == 4 * CELLS_PER_CLASS


def test_a_run_is_described_where_there_is_no_git(tmp_path, monkeypatch):
    """Describing comes after hours of training: a machine without git must not lose the run."""
    write_cells(tmp_path)
    samples = load_samples(SPEC, tmp_path, tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    read_revision.cache_clear()
    description = describe_model(SPEC, build_io_spec(SPEC), samples, samples, make_fixed_scaling("-1..1"), {})
    assert description["revision"] == "unknown"
    read_revision.cache_clear()
    assert {"keras", "numpy", "onnxruntime"} <= description["versions"].keys()
