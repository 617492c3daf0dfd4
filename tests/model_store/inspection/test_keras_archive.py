"""`.keras` files looked into without Keras: what a plain one says of itself, and every hostile one refused with the reason."""

import io
import pickle
import subprocess
import sys
import warnings
import zipfile

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.model_store.inspection.keras_archive import KerasFile, inspect_keras
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from tests.model_store.keras_files import dense, keras_bytes, layer, network, plain_network


def inspect(data):
    return inspect_keras(io.BytesIO(data))


def refused(data, match):
    with pytest.raises(ModelError, match=match) as caught:
        inspect(data)
    assert str(caught.value).startswith("The .keras file is refused: ")
    assert str(caught.value).count(".\n") == 0


def test_what_a_plain_network_says_of_itself():
    # (3 colours + 1) x 4 classes
    assert inspect(keras_bytes()) == KerasFile(32, 48, 3, 4, 16, False)


def test_weights_are_counted_and_nested_networks_are_looked_into():
    conv = layer("Conv2D", build=[None, 32, 48, 3], filters=8, kernel_size=[3, 3], groups=1)
    inner = network(layer("Rescaling", scale=0.5), conv, out="conv2d")
    found = inspect(keras_bytes(network(inner | {"name": "inner"}, dense(5, 8))))
    assert found.n_parameters == 3 * 3 * 3 * 8 + 8 + (8 + 1) * 5
    assert (found.n_outputs, found.scales_levels) == (5, True)


def test_a_sequential_network_and_a_last_softmax():
    head = layer("Softmax", inputs=[[None, 7]])
    config = network(dense(7), head) | {"module": "keras", "class_name": "Sequential", "registered_name": None}
    del config["config"]["output_layers"], config["config"]["input_layers"]
    assert inspect(keras_bytes(config)).n_outputs == 7


def test_settings_of_training_are_never_read():
    config = plain_network(compile_config={"loss": {"module": "evil", "class_name": "Loss", "config": {}}})
    assert inspect(keras_bytes(config)).n_outputs == 4


LAMBDA = layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}})
FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
NESTED = network(LAMBDA)


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (LAMBDA, "Lambda is not allowed: it holds Python code"),
        (NESTED, "Lambda is not allowed"),
        (layer("Rescaling", scale={"class_name": "__lambda__", "config": {}}), "__lambda__ is not allowed"),
        (layer("Dense", units=4, activation=FUNCTION), "function is not allowed: a function in it would be called"),
        (layer("Activation", activation=FUNCTION | {"module": "builtins"}), "function is not allowed"),
        (layer("TFSMLayer", filepath="/tmp/model"), "TFSMLayer is not allowed: it runs a TensorFlow program"),
        (layer("TorchModuleWrapper"), "TorchModuleWrapper is not allowed: it holds pickled code"),
        (layer("Mine", module="my.code", registered_name="my>Mine"), "my>Mine is custom code"),
        (layer("Dense", registered_name="my>Dense"), "my>Dense is custom code"),
        (layer("Popen", module="subprocess"), "Popen is from subprocess, not from Keras"),
        (layer("Dense", module=None), "Dense does not name its Keras module"),
        (layer("Dense", module="keras.evil"), r"keras\.evil\.Dense is not among the layers"),
        (layer("load_model", module="keras.saving"), r"keras\.saving\.load_model is not among the layers"),
        (layer("TextVectorization", vocabulary="/etc/passwd"), r"TextVectorization is not among the layers"),
        (layer("Dense", module="keras.layers", units=4) | {"class_name": ["Dense"]}, "without a class name"),
        ({"class_name": "__typespec__", "config": []}, "__typespec__ is not allowed"),
        (
            {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
            "array of something other than numbers",
        ),
        (network(dense(), compile_config={"loss": "mse"}), "nested in it carries training settings"),
        (dense(10**9), "'units' of its part Dense is 1,000,000,000, and at most 1,000,000 is allowed"),
        (dense(-(10**9)), "is -1,000,000,000"),
        (dense(100_000, 10_000), "it would have 1,000,100,016 weights, and at most 100,000,000 are allowed"),
        (layer("Conv2D", kernel_size=[3, 10**8], filters=1), "'kernel_size' of its part Conv2D"),
        (layer("ReLU", inputs=[[None, 9000, 9000, 64]]), "a map in it would have the shape"),
        (layer("ZeroPadding2D", build=[None, 90000, 90000, 3]), "a map in it would have the shape"),
    ],
)
def test_parts_that_are_refused(part, match):
    refused(keras_bytes(network(part, dense())), match)


def test_a_part_hidden_in_an_input_is_found():
    """As in published attacks: arguments of a call between layers are objects too."""
    hidden = dense()
    hidden["inbound_nodes"][0]["kwargs"] = {"inputs": FUNCTION}
    refused(keras_bytes(network(hidden)), "function is not allowed")


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((None, 100_000, 100_000, 3), "shape"),
        ((None, 2_000, 8, 3), "fixed size, at most 1,024 px on each side"),
        ((None, None, None, 3), "fixed size"),
        ((None, 32, 32, 1), "must be colour images"),
        ((None, 3, 32, 32), "must be colour images"),
        ((None, 12), "must be colour images"),
        ((None, "a", {}, 3), "fixed size"),
    ],
)
def test_inputs_that_are_refused(shape, match):
    refused(keras_bytes(network(dense(), shape=shape)), match)


def test_two_inputs():
    refused(keras_bytes(network(layer("InputLayer", batch_shape=[None, 8, 8, 3]), dense())), "has 2 inputs")


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (b"not json", r"config\.json is not valid JSON"),
        (b"\xff\xfe", r"config\.json is not valid JSON"),
        (b"[" * 200_000, r"config\.json is not valid JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}", r"config\.json is not valid JSON"),
        (b"[]", r"config\.json holds no network"),
        (b"{}", "without a class name"),
        (b'{"class_name": "__numpy__", "config": {"layers": [{}]}}', "holds no network of layers"),
        (dense(), "holds no network of layers"),
        (network() | {"config": {"layers": []}}, "has no layers"),
        (network() | {"config": [1]}, "has no layers"),
        (network() | {"config": {"layers": [1]}}, "has no layers"),
        (network(*[dense(1, name=str(n)) for n in range(3_000)]), "has 3,00. layers, and at most 3,000 are allowed"),
    ],
)
def test_configs_that_are_no_network(config, match):
    refused(keras_bytes(config), match)


@pytest.mark.parametrize(
    "change",
    [
        {"config": 3},
        {"build_config": [1]},
        {"config": {"units": "many"}, "build_config": {"input_shape": "wide"}},
        {
            "config": {"kernel_size": "x", "groups": 0},
            "build_config": {"input_shape": [None, 3]},
            "class_name": "Conv2D",
        },
        {"name": ["x"], "inbound_nodes": 3},
    ],
)
def test_oddly_formed_layers_are_no_crash(change):
    """Keras would refuse them; here they say nothing of their size."""
    assert inspect(keras_bytes(network(dense() | change, dense(2, name="last"), out="last"))).n_outputs == 2


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not a zip file"),
        (b"just text, no network", "not a zip file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), r"old HDF5 format \(\.h5\).*; save the network as \.keras"),
        (pickle.dumps({"a": 1}), "it is a pickle, which can run any program"),
        (keras_bytes()[:200], "it cannot be read as a zip file .*damaged"),
        (keras_bytes(without=["config.json"]), r"it lacks config\.json"),
        (keras_bytes(without=["model.weights.h5"]), r"it lacks model\.weights\.h5"),
        (keras_bytes(**{"saved_model.pb": b""}), "it is a SavedModel"),
        (keras_bytes(**{"../../evil.py": b""}), "Its path leads out of the zip"),
        (keras_bytes(**{"/etc/passwd": b""}), "Its path leads out of the zip"),
        (keras_bytes(**{"assets/vocabulary.txt": b""}), "it holds 'assets/vocabulary.txt', but only"),
        (keras_bytes(b" " * (17 * 2**20)), r"its config\.json has 17 MB, and at most 16 MB are allowed"),
    ],
)
def test_files_that_are_no_plain_archive(data, match):
    refused(data, match)


def packed(name, data, **how):
    stream = io.BytesIO(keras_bytes(without=[name]))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(name, data, **how)
    return stream.getvalue()


def test_a_zip_bomb():
    refused(packed("model.weights.h5", bytes(50 * 2**20), compress_type=zipfile.ZIP_DEFLATED), "like a zip bomb")


def test_a_link_and_a_member_that_comes_twice():
    link = zipfile.ZipInfo("model.weights.h5")
    link.external_attr = 0o120777 << 16
    stream = io.BytesIO(keras_bytes(without=["model.weights.h5"]))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(stream.getvalue(), "a link inside a zip")
    stream = io.BytesIO(keras_bytes())
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("config.json", "{}")
    refused(stream.getvalue(), "it holds a member twice")


@pytest.mark.parametrize(
    ("names", "n_outputs", "match"),
    [
        (("A",), None, "needs 2 to 1,000 class names. Received: 1"),
        (("A", "B"), 4, r"has 4 classes\. Received: 2 class names"),
        (("A", "B", "C"), 1, r"has 2 classes\. Received: 3 class names"),
        (("A", "A"), None, "Class names must differ"),
        (("A", ""), None, "1 to 80 printable characters"),
        (("A", "B\x00"), None, "1 to 80 printable characters"),
        (("A", "B" * 81), None, "1 to 80 printable characters"),
    ],
)
def test_class_names_that_do_not_fit(names, n_outputs, match):
    with pytest.raises(ModelError, match=match):
        check_class_names(names, n_outputs)


def test_class_names_that_fit():
    check_class_names(("A", "B"), 1)
    check_class_names(("A", "B", "C"), 3)
    check_class_names(("A", "B", "C"))


@pytest.mark.process
def test_looking_needs_no_keras():
    code = (
        "import sys, bloodcell.model_store.inspection.keras_archive\n"
        "sys.exit(bool({'keras', 'tensorflow', 'h5py'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
