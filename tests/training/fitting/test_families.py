"""Families of the registry through the whole of training and serving: whole images, two phases, an SVM, bfloat16."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bloodcell.core.errors import StoppedError
from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.networks.settings import NetworkSettings
from bloodcell.training.fitting import fit_network as fitting
from bloodcell.training.fitting.batches import DrawnBatches
from bloodcell.training.fitting.fit_network import fit_network, list_phases
from bloodcell.training.fitting.train import train
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.fitting.test_fit_network import HELD_OUT, TRAINING, Watch, open_context, weights
from tests.training.samples.test_samples import samples, spec
from tests.training.tiny_run import FOREIGN_WARNINGS, write_cells

pytestmark = FOREIGN_WARNINGS
CELLS = (SourceSpec(name="cells", path="cells", groups="cells.csv"),)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("families"))


def trained(settings, data_dir, tmp_path):
    metrics = train(settings, data_dir, tmp_path / "runs" / "one", tmp_path / "cache", Control())
    return Engine(tmp_path / "runs" / "one"), metrics


def test_a_network_of_whole_images_without_background_is_trained_and_serves(data_dir, tmp_path):
    settings = TrainSpec.for_network(
        "cnn_batch_norm",
        "whole",
        CELLS,
        folds=3,
        epochs=1,
        height_px=48,
        width_px=64,
        stage_widths=(4, 6, 8, 8),
        mask="otsu",
    )
    engine, metrics = trained(settings, data_dir, tmp_path)
    assert (engine.io_spec.input, engine.io_spec.mask, engine.io_spec.has_ood_head) == ("image", "otsu", False)
    assert metrics["validation"]["images"] == 16  # 48 images, each trained on or held out, with a detected cell or not
    data = (data_dir / "cells" / "NEUTROPHIL" / "0-0.png").read_bytes()
    (result,) = analyse(engine, [data])
    assert len(result.cells) == 1
    assert sum(result.cells[0].probs) == pytest.approx(1, abs=1e-5)


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize(
    ("network", "size", "changes"),
    [
        ("fcn", (60, 80), {"stage_widths": (4, 6, 6, 8)}),
        ("cnn", (36, 48), {"stage_widths": (4, 6, 6)}),
        ("custom_cnn", (32, 32), {"stage_widths": (4, 6)}),
    ],
)
def test_published_networks_of_whole_images_are_trained(network, size, changes, data_dir, tmp_path):
    """Without an out-of-distribution head, as networks of whole images are."""
    height_px, width_px = size
    settings = TrainSpec.for_network(
        network, network, CELLS, folds=3, epochs=1, height_px=height_px, width_px=width_px, **changes
    )
    assert not settings.ood_head
    engine, metrics = trained(settings, data_dir, tmp_path)
    assert np.isfinite(metrics["validation"]["accuracy"])
    (result,) = analyse(engine, [(data_dir / "cells" / "NEUTROPHIL" / "0-0.png").read_bytes()])
    assert sum(result.cells[0].probs) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("backbone_end", "least_parameters"), [("conv2_block1_out", 80_000), pytest.param("", 2e7, marks=pytest.mark.slow)]
)
def test_features_and_an_svm_are_trained_and_serve(backbone_end, least_parameters, data_dir, tmp_path, monkeypatch):
    """With the first layers of ResNet50, as its whole takes half a minute to be exported."""
    monkeypatch.setattr(fitting, "NetworkSettings", partial(NetworkSettings, backbone_end=backbone_end))
    settings = replace(
        TrainSpec.for_network("resnet50_svm", "svm", CELLS, folds=3, epochs=1, height_px=32, width_px=32), input="cell"
    )
    engine, metrics = trained(settings, data_dir, tmp_path)
    assert metrics["parameters"] > least_parameters
    assert np.isfinite(metrics["validation"]["accuracy"])
    (result,) = analyse(engine, [(data_dir / "cells" / "MONOCYTE" / "0-0.png").read_bytes()])
    assert len(result.cells[0].probs) == 4


def test_every_image_once_an_epoch_in_a_new_order():
    every = spec(class_sampling="every image once", images_per_epoch=0, unknown_share=0, batch_size=4)
    batches = DrawnBatches(samples([0, 1, -1, 0, 1, 1, 0]), every)  # six of known classes
    assert (batches.images_per_epoch, len(batches)) == (6, 2)
    orders = []
    for _ in range(2):
        labels = np.concatenate([batches[number][1]["logits"].argmax(axis=1) for number in range(2)])
        assert sorted(labels.tolist()) == [0, 0, 0, 1, 1, 1]
        assert set(batches[1][1]) == set(batches[1][2]) == {"logits"}
        orders.append([batches._select_rows(number).tolist() for number in range(2)])
        assert sorted(orders[-1][0] + orders[-1][1]) == [0, 1, 3, 4, 5, 6]
        batches.on_epoch_end()
    assert orders[0] != orders[1]
    few = DrawnBatches(samples([0, 1] * 4), replace(every, images_per_epoch=5))
    assert [len(few[number][0]) for number in range(len(few))] == [4, 1]


@pytest.mark.usefixtures("without_graphs")
def test_the_first_phase_leaves_the_backbone_as_it_is(tmp_path):
    settings = spec(epochs=3, frozen_epochs=2, frozen_rate=0.05, learning_rate=1e-4, keep="last", unknown_share=0)
    assert [(phase.begin, phase.end, phase.is_frozen) for phase in list_phases(settings)] == [
        (0, 2, True),
        (2, 3, False),
    ]
    (tmp_path / "whole").mkdir()
    whole = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path / "whole", settings, watch := Watch()))
    assert "first phase, to epoch 2: the backbone is frozen" in watch.lines
    assert [row.epoch for row in whole.rows] == [1, 2, 3]
    rates = [row.rate for row in whole.rows]
    assert rates[0] > 10 * rates[2]
    stem = next(layer for layer in whole.model.layers if layer.name == "stem")
    assert stem.trainable
    # Stopped in the second round, and just before it, it goes on to the same epochs.
    for stop_at in (3, 5):
        folder = tmp_path / str(stop_at)
        folder.mkdir()
        with pytest.raises(StoppedError, match="finished epochs are kept"):
            fit_network(settings, 1, TRAINING, HELD_OUT, open_context(folder, settings, Watch(stop_at)))
        again = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(folder, settings, then := Watch()))
        assert [row.epoch for row in again.rows] == [1, 2, 3]
        assert [row["epoch"] for row in then.rows] == ([2, 3] if stop_at == 3 else [3])


@pytest.mark.usefixtures("without_graphs")
def test_frozen_weights_do_not_move_in_the_first_phase(tmp_path):
    settings = spec(epochs=2, frozen_epochs=1, frozen_rate=0.05, learning_rate=1e-4, keep="last", unknown_share=0)
    first = Watch(stop_at=3)  # two batches an epoch: the first of the second round
    with pytest.raises(StoppedError, match="finished epochs are kept"):
        fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings, first))
    with np.load(tmp_path / "checkpoint" / "fit-1.npz") as stored:
        after = {key: stored[key] for key in stored.files if key.startswith("model-")}
    (tmp_path / "other").mkdir()
    still = replace(settings, frozen_rate=1e-9, learning_rate=1e-9)
    untrained = fit_network(still, 1, TRAINING, HELD_OUT, open_context(tmp_path / "other", still))
    names = [variable.path for variable in untrained.model.variables]
    start = [np.asarray(variable) for variable in untrained.model.variables]
    moved = {
        name for at, name in enumerate(names) if not np.allclose(after[f"model-{at}"], start[at], atol=1e-6)
        and "seed" not in name
    }  # fmt: skip
    assert moved
    assert all(name.startswith(("logits", "known")) for name in moved), moved


def test_bfloat16_ends_as_a_network_of_float32(tmp_path):
    settings = spec(epochs=1, mixed_precision=True)
    fitted = fit_network(settings, 1, TRAINING, HELD_OUT, open_context(tmp_path, settings))
    assert {layer.compute_dtype for layer in fitted.model.layers} == {"float32"}
    assert all(np.isfinite(value).all() for value in weights(fitted.model))
