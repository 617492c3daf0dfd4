"""Scaling inside the network is that outside it, in Keras, after saving, and in ONNX, which takes raw levels."""

import numpy as np
import onnxruntime
import pytest

from bloodcell.imaging.scale import FITTED, FIXED, SCALINGS, fit_scaling, fixed_scaling
from bloodcell.zoo.registry import NETWORKS, builder_of
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SIDE_PX = 16
RNG = np.random.default_rng(0)
CROPS = np.clip(RNG.normal(180, RNG.uniform(1, 50, (SIDE_PX, SIDE_PX, 3)), (30, SIDE_PX, SIDE_PX, 3)), 0, 255).astype(
    np.uint8
)
CROPS[:, 2, 3] = 235  # never varies


def fitted(name):
    return fixed_scaling(name) if name in FIXED else fit_scaling(name, [CROPS[:20]])


def scaled_by(model, crops):
    import keras

    inner = keras.Model(model.input, model.get_layer("scaling").output)
    return keras.ops.convert_to_numpy(inner(crops.astype(np.float32)))


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("network", [network.name for network in NETWORKS])
def test_inside_as_outside_and_after_saving(name, network, tmp_path):
    import keras

    scaling = fitted(name)
    model = builder_of(network)(SIDE_PX, 3, (4,), 0.0, scaling=scaling)
    assert np.abs(scaled_by(model, CROPS) - scaling.apply(CROPS)).max() < 1e-5
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(scaled_by(again, CROPS), scaled_by(model, CROPS))
    assert again.count_params() == model.count_params() == builder_of(network)(SIDE_PX, 3, (4,), 0.0).count_params()


def test_without_a_scaling_levels_go_to_one():
    model = builder_of("small")(SIDE_PX, 3, (4,), 0.0)
    assert np.abs(scaled_by(model, CROPS) - fixed_scaling("-1..1").apply(CROPS)).max() < 1e-6


@pytest.mark.parametrize("name", FITTED)
def test_the_exported_graph_takes_raw_levels_and_nothing_else(name, tmp_path):
    import keras

    from bloodcell.zoo.scaling import scale_crops

    crops = keras.Input((SIDE_PX, SIDE_PX, 3), name="crops")
    model = keras.Model(crops, scale_crops(crops, fitted(name)))
    model(CROPS.astype(np.float32))  # Keras exports no model that was never called
    model.export(tmp_path / "s.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "s.onnx"), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["crops"]
    (answered,) = session.run(None, {"crops": CROPS.astype(np.float32)})
    assert np.abs(answered - fitted(name).apply(CROPS)).max() < 1e-5
