"""Every network of the table: builds, trains for an epoch, survives saving, and predicts the same from ONNX."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from bloodcell.core.errors import SpecError
from bloodcell.inference.probabilities import softmax
from bloodcell.model_import.sandboxed.onnx_check import check_onnx
from bloodcell.model_store.inspection.keras_archive import inspect_keras
from bloodcell.networks.registry import NETWORKS, build_default_settings, get_builder, get_network
from tests.networks.builders.tiny import BY_STEPS, N_CLASSES, NAMES, OF_CLASSES, drawn_crops, tiny_settings
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
# Built at full size within seconds; the others wait for `make test-slow`.
QUICK_TO_BUILD = ("small", "cnn", "fcn", "cnn_batch_norm", "custom_cnn", "vgg16", "resnet18", "unet")
SLOW_TO_BUILD = [name for name in NAMES if name not in QUICK_TO_BUILD]


def learn_an_epoch(model, crops, class_index):
    """One pass in batches of four by both heads, as far as there are two."""
    import keras

    targets = {"logits": np.eye(N_CLASSES, dtype=np.float32)[class_index]}
    losses = {"logits": keras.losses.CategoricalCrossentropy(from_logits=True)}
    if "known" in model.output:
        targets["known"] = np.ones((len(crops), 1), np.float32)
        losses["known"] = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=losses)
    history = model.fit(crops.astype(np.float32), targets, batch_size=4, epochs=1, verbose=0, shuffle=False)
    return history.history["loss"][0]


def numbers(tensor):
    import keras

    return keras.ops.convert_to_numpy(tensor)


def check_life(settings, name, folder):
    """Build, train, save, load, export; each time the predictions are compared."""
    import keras

    from bloodcell.training.fitting.export import export_onnx

    model = get_builder(name)(settings)
    crops, class_index = drawn_crops(8, settings.height_px, settings.width_px)
    before = [weights.copy() for weights in model.get_weights()]
    if get_network(name).trained_by == "steps":
        assert np.isfinite(learn_an_epoch(model, crops, class_index))
        assert any((then != now).any() for then, now in zip(before, model.get_weights(), strict=True))
    answered = model(crops.astype(np.float32), training=False)
    assert answered["logits"].shape == (8, N_CLASSES)
    assert softmax(numbers(answered["logits"])).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert ("known" in answered) == settings.ood_head
    model.save(folder / "model.keras")
    looked_through = inspect_keras((folder / "model.keras").open("rb", buffering=0))
    assert (looked_through.height_px, looked_through.width_px) == (settings.height_px, settings.width_px)
    again = keras.models.load_model(folder / "model.keras", safe_mode=True)
    assert numbers(again(crops.astype(np.float32), training=False)["logits"]) == pytest.approx(
        numbers(answered["logits"]), abs=1e-5
    )
    names = export_onnx(again, folder / "model.onnx", crops)
    check_onnx(folder / "model.onnx")
    assert names == (("logits", "known", "features") if settings.ood_head else ("logits", "features"))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["crops"]
    logits, *_, features = session.run(None, {"crops": crops.astype(np.float32)})
    assert np.abs(logits - numbers(answered["logits"])).max() < 1e-4
    assert features.shape == (8, model.get_layer("features").output.shape[-1])


@pytest.mark.parametrize("name", OF_CLASSES)
def test_builds_learns_is_saved_and_exported(name, tmp_path):
    check_life(tiny_settings(name), name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet18", "resnet50", "xception", "efficientnet_b4"])
def test_whole_backbones_too(name, tmp_path):
    side_px = 71 if name == "xception" else 64
    check_life(build_default_settings(name, N_CLASSES, height_px=side_px, width_px=side_px + 16), name, tmp_path)


@pytest.mark.parametrize("name", BY_STEPS)
def test_either_with_a_head_for_strangers_or_without(name):
    """Both ways the layer of features is there, for the distance from the training cells."""
    for ood_head in (True, False):
        settings = tiny_settings(name, ood_head=ood_head)
        model = get_builder(name)(settings)
        assert ("known" in model.output) == ood_head
        assert len(model.get_layer("features").output.shape) == 2


def check_table(name):
    entry = get_network(name)
    model = get_builder(name)(build_default_settings(name, 4))
    assert model.input.shape[1:3] == (entry.height_px, entry.width_px)
    assert model.count_params() == entry.parameters
    if entry.cam_layer:
        assert len(model.get_layer(entry.cam_layer).output.shape) == 4
    return model


@pytest.mark.parametrize("name", QUICK_TO_BUILD)
def test_the_table_says_what_is_built(name):
    check_table(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_TO_BUILD)
def test_the_table_says_what_is_built_of_large_ones(name):
    check_table(name)


def trainable(model):
    return sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)


@pytest.mark.parametrize(("name", "published"), [("cnn", 3_312_964), ("fcn", 2_853_892)])
def test_published_counts(name, published):
    model = get_builder(name)(build_default_settings(name, 4))
    assert model.input.shape == (None, 120, 160, 3)
    assert trainable(model) == published


def test_resnet18_has_its_11_2_million():
    # 1,000 classes have 11,689,512 in PyTorch: less 513,000 for those, 513 a class for these four
    assert trainable(get_builder("resnet18")(build_default_settings("resnet18", 4))) == 11_689_512 - 513_000 + 4 * 513


@pytest.mark.slow
def test_xception_has_its_backbone_and_published_head():
    model = get_builder("xception")(build_default_settings("xception", 4))
    names = ["head_1024", "head_512", "head_128", "head_64", "head_8", "logits"]
    counts = [model.get_layer(name).count_params() for name in names]
    assert counts == [2_098_176, 524_800, 65_664, 8_256, 520, 36]
    assert model.count_params() - sum(counts) == 20_861_480


def test_fcn_logits_are_its_published_answer():
    """Maxima of softmax maps over all places, divided by their sum, as Keras' cross-entropy does."""
    import keras

    model = get_builder("fcn")(tiny_settings("fcn", height_px=60, width_px=80))
    crops, _ = drawn_crops(3, 60, 80)
    maps_of = keras.Model(model.input, model.get_layer("class_maps").output)
    maps = numbers(maps_of(crops.astype(np.float32)))
    assert maps.shape[1:] == (2, 2, N_CLASSES)
    maxima = maps.max(axis=(1, 2))
    logits = numbers(model(crops.astype(np.float32), training=False)["logits"])
    assert softmax(logits) == pytest.approx(maxima / maxima.sum(axis=1, keepdims=True), abs=1e-6)


def test_kernels_can_be_chosen():
    kernel = get_builder("cnn")(tiny_settings("cnn", kernel_px=3)).get_layer("block2_conv").kernel
    assert kernel.shape == (3, 3, 4, 6)


def test_an_input_too_small_for_its_pooling():
    with pytest.raises(SpecError, match=r"large enough for pooling by \[\(3, 4\), .*Received: \(16, 16\)"):
        get_builder("cnn")(build_default_settings("cnn", 4, height_px=16, width_px=16))


def test_names_are_told_apart():
    assert len(set(NAMES)) == len(NAMES)


def test_an_unknown_network():
    with pytest.raises(SpecError, match=rf"`model` must be one of .*{NAMES[0]}.* Received: 'resnet900'"):
        get_builder("resnet900")


def test_pretrained_ones_say_how_good_they_were():
    assert [entry.name for entry in NETWORKS if entry.pretrained] == [
        entry.name for entry in NETWORKS if entry.top1 is not None
    ]


def test_the_table_itself_loads_no_keras():
    code = (
        "import sys, bloodcell.networks.registry, bloodcell.networks.settings, bloodcell.networks.network_table;"
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
