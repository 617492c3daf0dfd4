"""One run with every setting for rare classes and a scaling that is fitted, from spec to engine."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.progress import Control
from bloodcell.inference.engine import Engine
from bloodcell.training.fitting.batches import build_scaling, cut_centre_crops
from bloodcell.training.fitting.train import train
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.imbalance import select_training_rows
from bloodcell.training.samples.samples import build_io_spec, load_samples
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, write_cells

pytestmark = FOREIGN_WARNINGS
CHOSEN = replace(
    SPEC,
    sources=(replace(SPEC.sources[0], limits=(("NEUTROPHIL", 3),)),),
    scaling="pixel",
    class_sampling="as they come",
    class_weights="balanced",
    focal_gamma=2.0,
    images_per_epoch=64,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    work = tmp_path_factory.mktemp("chosen")
    train(CHOSEN, write_cells(work / "data"), work / "run", work / "cache", Control())
    return work / "run", load_samples(CHOSEN, work / "data", work / "cache")


def take_training_samples(samples):
    """Samples that the run was trained on, worked out again."""
    rows = select_training_rows(CHOSEN, samples, assign_folds(CHOSEN, samples) != CHOSEN.fold)
    return samples.take(rows)


def test_the_scaling_in_the_model_is_that_of_the_training_crops_alone(run):
    run_dir, samples = run
    model = keras.models.load_model(run_dir / "model.keras")
    mean, factor = -np.array(model.get_layer("centring").offset), np.array(model.get_layer("scaling").scale)
    training_samples = cut_centre_crops(take_training_samples(samples).stored_crops[:], CHOSEN)
    expected = StandardScaler().fit(training_samples.reshape(len(training_samples), -1).astype(np.float64))
    assert mean.ravel() == pytest.approx(expected.mean_, abs=1e-4)
    assert factor.ravel() == pytest.approx(1 / expected.scale_, rel=1e-5)
    of_all = cut_centre_crops(samples.stored_crops[:], CHOSEN).reshape(len(samples.stored_crops), -1).mean(axis=0)
    assert np.abs(mean.ravel() - of_all).max() > 1


def test_what_is_held_out_does_not_reach_the_scaling(run):
    """Held-out crops painted black change nothing, one training crop does."""
    _, samples = run
    held_out = assign_folds(CHOSEN, samples) == CHOSEN.fold
    before = build_scaling(CHOSEN, take_training_samples(samples))
    painted = replace(samples, stored_crops=samples.stored_crops[:])
    painted.stored_crops[held_out] = 0
    after = build_scaling(CHOSEN, take_training_samples(painted))
    assert (after.crops_sha256, after.images) == (before.crops_sha256, before.images)
    assert np.array_equal(after.mean, before.mean)
    painted.stored_crops[np.flatnonzero(~held_out)] = 0
    assert build_scaling(CHOSEN, take_training_samples(painted)).crops_sha256 != before.crops_sha256


def test_the_spec_says_what_was_done(run):
    run_dir, samples = run
    description = json.loads((run_dir / "spec.json").read_text())
    assert TrainSpec.from_json(json.dumps(description["training"])) == CHOSEN
    assert "divided by the standard deviation of each pixel and channel inside the graph" in description["scaling"]
    expected = build_scaling(CHOSEN, take_training_samples(samples))
    statistics = description["scaling_statistics"]
    assert statistics["sha256_of_learned_crops"] == expected.crops_sha256
    assert statistics["images"] == expected.images
    assert statistics["shape"] == [32, 32, 3]
    assert statistics["sd"]["least"] == pytest.approx(expected.sd.min())


def test_the_spec_and_the_card_count_what_was_trained_on(run):
    run_dir, _ = run
    description = json.loads((run_dir / "spec.json").read_text())
    assert description["learned_from"]["NEUTROPHIL"] == {"images": 3, "source_cells": 2}
    assert description["learned_from"]["EOSINOPHIL"]["images"] > 3
    assert description["data"]["cells"]["NEUTROPHIL"] == 12
    assert "trained on only 3 images of 2 source cells of NEUTROPHIL." in (run_dir / "README.md").read_text()


def test_what_is_held_out_keeps_the_rare_class(run):
    run_dir, samples = run
    held_out = assign_folds(CHOSEN, samples) == CHOSEN.fold
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics["validation"]["images"] == held_out.sum()
    assert set(metrics["validation"]["recall"]) == set(WHITE_CELLS_4)


def test_the_engine_takes_raw_levels_and_predicts_as_keras_does(run):
    run_dir, samples = run
    crops = cut_centre_crops(samples.stored_crops[:], CHOSEN)
    engine = Engine(run_dir)
    model = keras.models.load_model(run_dir / "model.keras")
    logits = keras.ops.convert_to_numpy(model(crops.astype(np.float32), training=False)["logits"])
    powers = np.exp(logits.astype(np.float64) / engine.temperature)
    assert engine.classify(crops).probs == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-3)


def test_a_number_a_channel_stands_in_the_spec(run):
    from bloodcell.training.output.description import describe_model

    _, samples = run
    spec = replace(CHOSEN, scaling="channel")
    training_samples = take_training_samples(samples)
    scaling = build_scaling(spec, training_samples)
    statistics = describe_model(spec, build_io_spec(spec), samples, training_samples, scaling, {})["scaling_statistics"]
    assert statistics["mean"] == scaling.mean.tolist()
    assert statistics["sd"] == scaling.sd.tolist()
    assert len(statistics["mean"]) == 3
