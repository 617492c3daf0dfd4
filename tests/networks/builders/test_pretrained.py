"""Weights from a file or the web, the layers of a backbone, and the two rounds of transfer learning."""

import sys
import urllib.request

import keras
import numpy as np
import pytest

from bloodcell.core.errors import ModelError, SpecError
from bloodcell.networks.builders.freeze import freeze_backbone, list_backbone_layers, thaw_backbone
from bloodcell.networks.builders.resnet18 import build_resnet18
from bloodcell.networks.builders.weights import IMAGENET_FILES, copy_weights_by_name
from bloodcell.networks.registry import build_default_settings, get_builder
from tests.networks.builders.tiny import drawn_crops, tiny_settings
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


def no_network(monkeypatch, tmp_path):
    """Keras' cache is empty, and every download meets a closed door on this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # urllib keeps the opener that it built first, with the proxies of then.
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.parametrize(("name", "family"), [("vgg16", "VGG16"), ("xception", "Xception")])
def test_without_a_network_the_file_its_place_and_the_way_out_are_named(name, family, monkeypatch, tmp_path):
    no_network(monkeypatch, tmp_path)
    with pytest.raises(ModelError) as caught:
        get_builder(name)(tiny_settings(name, weights="imagenet"))
    text = str(caught.value)
    assert "\n" not in text
    for part in (family, IMAGENET_FILES[family].name, str(tmp_path / "models"), "from scratch"):
        assert part in text


def check_weights_in_the_cache(name, family, monkeypatch, tmp_path, size):
    """A file of the old kind, as Keras publishes them, in the cache: our features are those of Keras' own network."""
    no_network(monkeypatch, tmp_path)
    source = getattr(keras.applications, family)(include_top=False, weights=None, input_shape=(*size, 3))
    rng = np.random.default_rng(0)
    for weights in source.weights:
        if weights.path.endswith(("moving_mean", "beta", "bias")):
            weights.assign(rng.normal(0, 0.1, weights.shape))
    (tmp_path / "models").mkdir()
    source.save(tmp_path / "models" / IMAGENET_FILES[family].name)
    settings = build_default_settings(name, 3, height_px=size[0], width_px=size[1], weights="imagenet")
    model = get_builder(name)(settings)
    crops = drawn_crops(2, *size)[0].astype(np.float32)
    scaled, maps = keras.Model(model.input, [model.get_layer("scaling").output, model.get_layer("features").input])(
        crops, training=False
    )
    first = next(
        layer for layer in source.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.ZeroPadding2D)
    )
    expected = keras.Model(first.input, source.output)(scaled, training=False)
    assert np.abs(keras.ops.convert_to_numpy(maps) - keras.ops.convert_to_numpy(expected)).max() < 1e-4


def test_weights_that_lie_in_the_cache_are_taken_without_a_network(monkeypatch, tmp_path):
    check_weights_in_the_cache("vgg16", "VGG16", monkeypatch, tmp_path, (32, 48))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family"), [("resnet50", "ResNet50"), ("xception", "Xception"), ("efficientnet_b4", "EfficientNetB4")]
)
def test_weights_of_the_larger_ones_in_the_cache(name, family, monkeypatch, tmp_path):
    check_weights_in_the_cache(name, family, monkeypatch, tmp_path, (71, 80))


def test_a_local_file(tmp_path):
    settings = tiny_settings("resnet18", weights=str(tmp_path / "own.weights.h5"))
    trained = build_resnet18(tiny_settings("resnet18"))
    for weights in trained.trainable_weights:
        weights.assign(np.random.default_rng(1).normal(0, 0.1, weights.shape))
    keras.Model(trained.input, trained.get_layer("stack1_block1_out").output).save_weights(tmp_path / "own.weights.h5")
    crops = drawn_crops(2, 32, 48)[0].astype(np.float32)
    again = build_resnet18(settings)
    for name in ("conv1_conv", "stack1_block0_0_bn", "stack1_block1_2_conv"):
        for ours, theirs in zip(again.get_layer(name).weights, trained.get_layer(name).weights, strict=True):
            assert np.array_equal(ours.numpy(), theirs.numpy())
    features = [keras.Model(one.input, one.get_layer("features").output)(crops) for one in (trained, again)]
    assert np.array_equal(*(keras.ops.convert_to_numpy(one) for one in features))


def test_a_backbone_of_keras_from_a_local_file(tmp_path):
    path = tmp_path / "vgg.weights.h5"
    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 48, 3))
    source.save_weights(path)
    model = get_builder("vgg16")(tiny_settings("vgg16", weights=str(path)))
    for ours, theirs in zip(
        model.get_layer("block1_conv2").weights, source.get_layer("block1_conv2").weights, strict=True
    ):
        assert np.array_equal(ours.numpy(), theirs.numpy())


def test_a_local_file_that_is_not_there(tmp_path):
    with pytest.raises(
        ModelError, match=r"There is no file of weights .*gone\.h5\. Name one that exists, or choose 'imagenet' or"
    ):
        get_builder("resnet18")(tiny_settings("resnet18", weights=str(tmp_path / "gone.h5")))


def test_a_file_with_weights_of_another_network(tmp_path):
    path = tmp_path / "other.weights.h5"
    small = get_builder("small")(tiny_settings("small"))
    small.save_weights(path)
    with pytest.raises(ModelError, match=r"The weights in .*other\.weights\.h5 do not fit the backbone of ResNet18"):
        get_builder("resnet18")(tiny_settings("resnet18", weights=str(path)))


def test_resnet18_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)  # what Python does where it is not installed
    with pytest.raises(
        ModelError,
        match=r"need keras-hub: pip install 'bloodcell\[hub\]', or in a checkout pip install -r requirements-hub\.txt",
    ):
        get_builder("resnet18")(tiny_settings("resnet18", weights="imagenet"))


def test_weights_go_over_by_name():
    source, target = (build_resnet18(tiny_settings("resnet18")) for _ in range(2))
    copy_weights_by_name(source, target)
    for ours, theirs in zip(
        target.get_layer("stack1_block0_0_conv").weights, source.get_layer("stack1_block0_0_conv").weights, strict=True
    ):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    with pytest.raises(ModelError, match=r"weights are those of another network than resnet18: conv1_bn, conv1_conv"):
        copy_weights_by_name(build_resnet18(tiny_settings("resnet18", stage_widths=(5, 7))), target)


def test_a_side_too_small():
    with pytest.raises(
        SpecError, match=r"The input of Xception must be 71 px or more on each side\. Received: \(64, 80\)"
    ):
        get_builder("xception")(tiny_settings("xception", height_px=64))


def test_a_layer_that_the_backbone_has_not():
    with pytest.raises(SpecError, match=r"`backbone_end` must be a layer of VGG16\. Received: 'block9'"):
        get_builder("vgg16")(tiny_settings("vgg16", backbone_end="block9"))


def test_each_preprocesses_as_keras_says():
    """The scaled crops are what `preprocess_input` of the family gives; EfficientNet has it inside."""
    crops = drawn_crops(2, 32, 48)[0].astype(np.float32)
    for name, module in (("vgg16", keras.applications.vgg16), ("resnet50", keras.applications.resnet50)):
        model = get_builder(name)(tiny_settings(name))
        scaled = keras.Model(model.input, model.get_layer("scaling").output)(crops)
        assert np.abs(keras.ops.convert_to_numpy(scaled) - module.preprocess_input(crops.copy())).max() < 1e-3


def test_efficientnet_is_scaled_once_and_as_its_weights_want():
    """Keras scales inside by mean and variance of ImageNet; ours does in its place what these make of the levels."""
    model = get_builder("efficientnet_b4")(tiny_settings("efficientnet_b4"))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert "Normalization" not in kinds
    assert kinds.count("Rescaling") == 2  # "centring" and "scaling"
    white = keras.Model(model.input, model.get_layer("stem_conv_pad").input)(np.full((1, 32, 48, 3), 255, np.float32))
    # (1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225
    assert keras.ops.convert_to_numpy(white)[0, 0, 0] == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-3)


def test_two_rounds():
    """Frozen: only the head is trained, normalisation keeps its mean. Thawed: all kernels are trained, normalisation is not."""
    model = get_builder("resnet18")(tiny_settings("resnet18"))
    names = [layer.name for layer in list_backbone_layers(model)]
    assert "conv1_conv" in names
    assert "features" in names
    assert not {"crops", "logits", "head_dropout"} & set(names)

    def changed_by_a_step():
        before = {weights.path: weights.numpy().copy() for weights in model.weights}
        model.compile(keras.optimizers.SGD(0.1), {"logits": keras.losses.CategoricalCrossentropy(from_logits=True)})
        crops, class_index = drawn_crops(4, 32, 48)
        model.fit(crops.astype(np.float32), {"logits": np.eye(3)[class_index]}, verbose=0)
        return {path.rpartition("/")[0] for path, then in before.items() if (then != of_path(path)).any()}

    def of_path(path):
        return next(weights.numpy() for weights in model.weights if weights.path == path)

    freeze_backbone(model)
    assert changed_by_a_step() == {"logits"}
    thaw_backbone(model)
    changed = changed_by_a_step()
    assert {"logits", "conv1_conv", "stack1_block1_2_conv"} <= changed
    assert not [name for name in changed if name.endswith("_bn")]
