"""A model continued on drawn cells: kept where it is better on held-out cells, refused where it is not."""

import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ModelError, RunError, SpecError
from bloodcell.core.labels import CONFIDENT, WHITE_CELLS_4
from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.experiments.adapt import MODEL_DIR, check_finite_weights, run_adapt, split_samples
from bloodcell.experiments.results.adapt_report import compare_models
from bloodcell.imaging.read import encode_png
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ADAPT_FILE
from bloodcell.model_store.library import read_model
from bloodcell.training.samples.samples import Samples
from bloodcell.training.specs.adapt_spec import AdaptSpec, find_cells_source
from bloodcell.training.specs.train_spec import TrainSpec
from tests.model_store.keras_files import keras_bytes, layer, network
from tests.training.tiny_run import CELLS_PER_CLASS, FOREIGN_WARNINGS, trained

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """A model that has been trained next to nothing: one epoch of 32 crops."""
    return trained(tmp_path_factory)[1]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A copy of the drawn cells as a dataset of decided cells: cells.csv with file, group, label."""
    folder = tmp_path_factory.mktemp("adapt") / "decided"
    data_dir, _ = trained(tmp_path_factory)
    shutil.copytree(data_dir / "cells", folder)
    lines = ["file,group,label"]
    for line in (data_dir / "cells.csv").read_text().splitlines()[1:]:
        lines.append(f"{line},{line.split('/')[0]}")
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    return folder


def adapt(cells, model_dir, work, **changes):
    data_dir, source = find_cells_source(cells)
    small = {"images_per_epoch": 192, "batch_size": 16, "epochs": 8, "frozen_epochs": 2, "learning_rate": 0.01}
    spec = AdaptSpec("mine", "drawn", source, **(small | changes))
    return run_adapt(work, spec, model_dir, data_dir, cells.parent / "cache", Control())


@pytest.fixture(scope="module")
def adapted(cells, model_dir, tmp_path_factory):
    work = tmp_path_factory.mktemp("adapted")
    return work, adapt(cells, model_dir, work)


def test_a_better_model_is_kept(adapted, model_dir):
    work, report = adapted
    assert report["is_better"]
    assert report["after"]["balanced_accuracy"] > report["before"]["balanced_accuracy"]
    assert report["mended"] > report["spoiled"]
    assert json.loads((work / ADAPT_FILE).read_text())["rule"] == report["rule"]
    model = read_model(work / MODEL_DIR)
    assert (model.title, model.class_names) == ("drawn, adapted", WHITE_CELLS_4)
    description = json.loads((work / MODEL_DIR / "spec.json").read_text())
    assert description["adapted_from"] == "drawn"
    assert description["calibration"] == json.loads((model_dir / "spec.json").read_text())["calibration"]
    assert "those of the original model" in report["thresholds"]
    card = (work / MODEL_DIR / "README.md").read_text()
    assert "trained on from the model drawn" in card
    assert "| cells, held out |" in card
    engine = Engine(work / MODEL_DIR)
    assert engine.classify(np.full((1, 32, 32, 3), 200, np.uint8)).probs.sum() == pytest.approx(1, abs=1e-5)


def test_part_of_the_cells_is_held_back_with_their_copies(adapted):
    _, report = adapted
    counted = report["cells"]
    assert counted["held_back"] == 2 * counted["held_back_source_cells"]
    assert counted["learned_from"] + counted["held_back"] == 8 * CELLS_PER_CLASS
    assert counted["none_held_back_of"] == []


def answers(*predicted):
    """Answers for two cells of A and two of B."""
    probs = np.eye(2, dtype=np.float32)[list(predicted)]
    status = np.full(4, CONFIDENT)
    return Predictions(("A", "B"), np.array([0, 0, 1, 1]), np.array(predicted), probs, status, np.arange(4))


def test_the_rule_by_hand():
    """Before, A 2/2 and B 0/2: 0.5. After, A 2/2 and B 1/2: 0.75; the other way round it is worse."""
    before, after = answers(0, 0, 0, 0), answers(0, 0, 1, 0)
    better = compare_models(before, after, n_draws=200)
    assert (better["is_better"], better["difference"], better["mended"], better["spoiled"]) == (True, 0.25, 1, 0)
    assert better["may_be_chance"]  # one cell
    worse = compare_models(after, before, n_draws=20)
    assert (worse["is_better"], worse["difference"], worse["mended"], worse["spoiled"]) == (False, -0.25, 0, 1)
    # more cells right is not better if a class is the worse for it: 2/2 and 0/2 against 1/2 and 1/2
    assert not compare_models(before, answers(0, 1, 1, 0), n_draws=20)["is_better"]


def test_labels_that_the_model_does_not_know(cells, model_dir, tmp_path):
    folder = tmp_path / "with-others"
    shutil.copytree(cells, folder)
    (folder / "BASOPHIL").mkdir()
    (folder / "BASOPHIL" / "1.png").write_bytes(encode_png(np.zeros((40, 40, 3), np.uint8)))
    with (folder / "cells.csv").open("a") as stream:
        stream.write("BASOPHIL/1.png,x,BASOPHIL\n")
    with pytest.raises(
        DatasetError, match=r"labels that are no class of drawn: BASOPHIL \(1\)\. Its classes are EOSINOPHIL"
    ):
        adapt(folder, model_dir, tmp_path / "work")


def only(cells, folder, *keep):
    """The cells whose line in the table holds one of these words."""
    shutil.copytree(cells, folder)
    header, *lines = (folder / "cells.csv").read_text().splitlines()
    (folder / "cells.csv").write_text(
        "\n".join([header, *(one for one in lines if any(w in one for w in keep))]) + "\n"
    )
    return folder


def test_too_few_cells(cells, model_dir, tmp_path):
    with pytest.raises(DatasetError, match=r"Adapting needs at least 20 cells .* Found: 12\."):
        adapt(only(cells, tmp_path / "few", "MONOCYTE/"), model_dir, tmp_path / "work")


def test_images_without_a_white_cell_do_not_count(cells, model_dir, tmp_path):
    folder = only(cells, tmp_path / "blank", "MONOCYTE/", "NEUTROPHIL/", "EOSINOPHIL/", "LYMPHOCYTE/")
    for file in sorted(folder.glob("*/*.png"))[:36]:
        file.write_bytes(encode_png(np.full((120, 120, 3), 230, np.uint8)))
    with pytest.raises(DatasetError, match=r"at least 20 cells\. A white cell was found in 12 images\."):
        adapt(folder, model_dir, tmp_path / "work")


def test_a_class_without_a_cell(cells, model_dir, tmp_path):
    folder = only(cells, tmp_path / "two", "MONOCYTE/", "NEUTROPHIL/")
    with pytest.raises(DatasetError, match="There is no EOSINOPHIL and no LYMPHOCYTE among the cells to train on"):
        adapt(folder, model_dir, tmp_path / "work")


def test_a_class_of_which_no_white_cell_is_found(cells, model_dir, tmp_path):
    folder = only(cells, tmp_path / "three", "/")
    for file in (folder / "EOSINOPHIL").glob("*.png"):
        file.write_bytes(encode_png(np.full((120, 120, 3), 230, np.uint8)))
    with pytest.raises(DatasetError, match="There is no EOSINOPHIL among the cells to train on"):
        adapt(folder, model_dir, tmp_path / "work")


def test_a_test_part_of_the_original_data_is_not_trained_on(tmp_path):
    class_index = np.repeat([0, 1], 12).astype(np.int64)
    new = Samples(np.zeros((24, 2, 2, 3), np.uint8), class_index, np.arange(24), np.zeros(24, int), ["a"] * 24, {})
    old = replace(new, group=np.arange(24, 48), source=np.ones(24, int), part=["test", "train"] * 12)
    both = Samples(
        *(
            np.concatenate([getattr(new, n), getattr(old, n)])
            for n in ("stored_crops", "class_index", "group", "source")
        ),
        ["a"] * 48,
        {},
        [""] * 24 + old.part,
    )
    spec = AdaptSpec("mine", "old", SourceSpec("new", "new"))
    train = TrainSpec("old", (spec.cells, SourceSpec("old", "old")), class_names=("A", "B"))
    held_out, training_samples = split_samples(spec, train, both)
    assert set(training_samples.part) == {"", "train"}
    assert (training_samples.source == 1).sum() == 12
    assert not set(held_out.group) & set(training_samples.group)


@pytest.fixture
def changed_model(model_dir, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)

    def describe(**changes):
        path = folder / "spec.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        return folder

    return describe


def test_models_that_cannot_be_continued(cells, changed_model, tmp_path):
    folder = changed_model()
    (folder / "model.keras").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"model\.keras of the model model cannot be read"):
        adapt(cells, folder, tmp_path / "work")
    (folder / "model.keras").write_bytes(keras_bytes(network(layer("Lambda", function="os.system"))))
    with pytest.raises(ModelError, match=r"model\.keras of the model model cannot be read: .*Lambda is not allowed"):
        adapt(cells, folder, tmp_path / "work")
    (folder / "model.keras").unlink()
    with pytest.raises(ModelError, match=r"The model folder model lacks model\.keras"):
        adapt(cells, folder, tmp_path / "work")
    with pytest.raises(ModelError, match="contradicts its own training settings"):
        adapt(cells, changed_model(context=9.0), tmp_path / "work")
    training = json.loads((folder / "spec.json").read_text())["training"]
    with pytest.raises(SpecError, match="'resnet50_svm' of drawn is not trained in epochs"):
        adapt(cells, changed_model(training=training | {"model": "resnet50_svm"}), tmp_path / "work")


def test_weights_that_are_no_numbers():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    check_finite_weights(model)
    model.set_weights([np.array([[np.nan], [1]]), np.zeros(1)])
    with pytest.raises(RunError, match="The adaptation diverged, its weights are no numbers"):
        check_finite_weights(model)
