"""Real Keras files become models: same predictions whatever their levels and output, and hostile ones are refused."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.inference.engine import Engine
from bloodcell.model_import.load_spec import LoadSpec
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.inspection.keras_archive import inspect_keras
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SIDE_PX = 16
NAMES = ("A", "B", "C")


def network(end="softmax", units=3, before=(), shape=(SIDE_PX, SIDE_PX, 3)):
    """A tiny network with a layer that acts otherwise in training, unless it is told not to."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    parts = [layers.RandomFlip(), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    dense = layers.Dense(units, activation=end, kernel_initializer="random_normal")
    return keras.Sequential([keras.Input(shape), *before, *parts, layers.Dropout(0.5), dense])


def saved(model, path):
    model.save(path)
    return path


def converted(model, folder, names=NAMES, levels=255):
    """The model folder of a network; what it was converted to."""
    from bloodcell.model_import.sandboxed.convert import convert

    path = saved(model, folder.parent / f"{folder.name}.keras")
    steps = []
    spec = LoadSpec(folder.name, str(path), class_names=names, levels=levels)
    conversion = convert(path, spec, ModelFolder(folder), steps.append)
    assert steps == ["Reading the network", "Exporting it to ONNX and comparing the predictions"]
    assert conversion.parameters == model.count_params()
    return folder


def images(n=6):
    return np.random.default_rng(1).integers(0, 256, (n, SIDE_PX, SIDE_PX, 3), np.uint8)


def predict_by_keras(model, scaled):
    return np.asarray(model(scaled.astype(np.float32), training=False))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A network ending in a softmax whose input is levels from 0 to 1, and its model folder."""
    model = network()
    return model, converted(model, tmp_path_factory.mktemp("models") / "plain", levels=1)


def test_its_answers_are_those_of_keras(plain):
    model, folder = plain
    scores = Engine(folder).classify(images())
    assert scores.probs == pytest.approx(predict_by_keras(model, images() / 255), abs=1e-4)
    assert set(scores.status) == {"check"}


def test_what_it_says_of_itself(plain):
    engine = Engine(plain[1])
    assert (engine.class_names, engine.io_spec.input, engine.io_spec.outputs) == (NAMES, "cell", ("logits",))
    assert (engine.io_spec.height_px, engine.io_spec.width_px, engine.thresholds) == (SIDE_PX, SIDE_PX, None)


def test_the_network_that_is_kept_passes_the_same_look(plain):
    import keras

    path = plain[1] / "model.keras"
    assert inspect_keras(path.open("rb", buffering=0)).height_px == SIDE_PX
    again = keras.saving.load_model(path, compile=False, safe_mode=True)
    logits = predict_by_keras(lambda x, training: again(x, training=training)["logits"], images())
    assert np.exp(logits) == pytest.approx(predict_by_keras(plain[0], images() / 255), abs=1e-4)


def test_one_output_with_a_sigmoid_tells_two_classes_apart(tmp_path):
    model = network("sigmoid", 1)
    scores = Engine(converted(model, tmp_path / "two", ("NO", "YES"), levels=-1)).classify(images())
    second = predict_by_keras(model, images() / 127.5 - 1)[:, 0]
    assert scores.probs == pytest.approx(np.stack([1 - second, second], axis=1), abs=1e-4)


def test_plain_numbers_become_probabilities(tmp_path):
    model = network("linear")
    powers = np.exp(predict_by_keras(model, images() / 255))
    scores = Engine(converted(model, tmp_path / "logits", levels=1)).classify(images())
    assert scores.probs == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-4)


@pytest.mark.parametrize(
    ("how", "names", "match"),
    [
        ({"end": "sigmoid"}, NAMES, "must end in a softmax, or in logits.* Received: 'sigmoid'"),
        ({"end": "relu"}, NAMES, "Received: 'relu'"),
        ({"end": "linear", "units": 1}, ("A", "B"), "one output must end in a sigmoid. Received: 'linear'"),
        ({}, ("A", "B"), r"has 3 classes\. Received: 2 class names"),
        ({"shape": (SIDE_PX, SIDE_PX, 1)}, NAMES, "must be colour images"),
    ],
)
def test_networks_that_do_not_fit(how, names, match, tmp_path):
    with pytest.raises(ModelError, match=match):
        converted(network(**how), tmp_path / "bad", names)


def test_answers_that_are_no_numbers(tmp_path):
    model = network()
    model.set_weights([np.full_like(part, np.nan) if part.dtype.kind == "f" else part for part in model.get_weights()])
    with pytest.raises(ModelError, match="gives values that are not numbers"):
        converted(model, tmp_path / "nan")


def with_lambda():
    import keras

    return network(before=[keras.layers.Lambda(lambda x: x / 2)])


def with_custom_object():
    import keras

    @keras.saving.register_keras_serializable("mine")
    class Halved(keras.layers.Layer):
        def call(self, x):
            return x / 2

    return network(before=[Halved()])


def with_custom_function():
    import keras

    @keras.saving.register_keras_serializable("mine")
    def halved(x):
        return x / 2

    return network(before=[keras.layers.Activation(halved)])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (with_lambda, "Lambda is not allowed"),
        (with_custom_object, "mine>Halved is custom code"),
        (with_custom_function, "is not allowed: a function|is custom code"),
    ],
)
def test_code_as_keras_saves_it_is_refused(make, match, tmp_path):
    path = saved(make(), tmp_path / "hostile.keras")
    with pytest.raises(ModelError, match=match):
        inspect_keras(path.open("rb", buffering=0))


def with_weights(path, change):
    """The file with changed weights."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(files["model.weights.h5"])
    with h5py.File(weights, "a") as opened:
        change(opened)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, data)
    return path


def external(weights):
    weights["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(weights):
    weights["elsewhere"] = h5py.SoftLink("/layers")


def stored_elsewhere(weights):
    weights.create_dataset("elsewhere", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def huge(weights):
    weights.create_dataset("huge", (2**30,), "f4", chunks=(2**20,), compression="gzip")


def of_objects(weights):
    weights.create_dataset("text", data="words")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (external, "its weights hold a link"),
        (soft, "its weights hold a link"),
        (stored_elsewhere, "something other than an array of numbers in the file itself"),
        (of_objects, "something other than an array of numbers in the file itself"),
        (huge, "its weights would take 4,096 MB, and at most 1,024 MB are allowed"),
        (lambda weights: weights.pop("layers"), "Keras cannot read the network"),
    ],
)
def test_weights_that_are_refused(change, match, tmp_path):
    from bloodcell.networks.builders.keras_file import load_keras_file

    path = with_weights(saved(network(), tmp_path / "odd.keras"), change)
    with pytest.raises(ModelError, match=match):
        load_keras_file(path)


def test_what_is_no_network_never_reaches_keras(tmp_path):
    from bloodcell.networks.builders.keras_file import load_keras_file

    (tmp_path / "bad.keras").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"The \.keras file is refused: it is not a zip file"):
        load_keras_file(tmp_path / "bad.keras")
