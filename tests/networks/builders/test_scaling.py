"""Scaling inside the network is that outside it, in Keras, after saving, and in ONNX, whose input is raw levels."""

import numpy as np
import onnxruntime
import pytest

from bloodcell.imaging.scale import FITTED, FIXED, SCALINGS, fit_scaling, make_fixed_scaling
from bloodcell.networks.registry import get_builder
from bloodcell.networks.settings import NetworkSettings
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SIDE_PX = 16
RNG = np.random.default_rng(0)
CROPS = np.clip(RNG.normal(180, RNG.uniform(1, 50, (SIDE_PX, SIDE_PX, 3)), (30, SIDE_PX, SIDE_PX, 3)), 0, 255).astype(
    np.uint8
)
CROPS[:, 2, 3] = 235  # never varies


def fitted(name):
    return make_fixed_scaling(name) if name in FIXED else fit_scaling(name, [CROPS[:20]])


def net_with(scaling):
    return get_builder("small")(NetworkSettings(SIDE_PX, SIDE_PX, 3, 0.0, scaling, stage_widths=(4,)))


def scaled_by(model, crops):
    import keras

    inner = keras.Model(model.input, model.get_layer("scaling").output)
    return keras.ops.convert_to_numpy(inner(crops.astype(np.float32)))


@pytest.mark.parametrize("name", SCALINGS)
def test_inside_as_outside_and_after_saving(name, tmp_path):
    import keras

    scaling = fitted(name)
    model = net_with(scaling)
    assert np.abs(scaled_by(model, CROPS) - scaling.apply(CROPS)).max() < 2e-5
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(scaled_by(again, CROPS), scaled_by(model, CROPS))
    assert again.count_params() == model.count_params() == net_with(make_fixed_scaling("-1..1")).count_params()


@pytest.mark.parametrize("name", [*FITTED, "crop", "imagenet caffe", "imagenet torch"])
def test_the_exported_graph_takes_raw_levels_and_nothing_else(name, tmp_path):
    import keras

    from bloodcell.networks.builders.scaling import scale_crops

    crops = keras.Input((SIDE_PX, SIDE_PX, 3), name="crops")
    model = keras.Model(crops, scale_crops(crops, fitted(name)))
    model(CROPS.astype(np.float32))  # Keras exports no model that was never called
    model.export(tmp_path / "s.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "s.onnx"), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["crops"]
    (answered,) = session.run(None, {"crops": CROPS.astype(np.float32)})
    assert np.abs(answered - fitted(name).apply(CROPS)).max() < 2e-5
