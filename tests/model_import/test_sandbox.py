"""The limited process: what it may not do, how it ends, and zipped models through it; Keras files in test_load_model.py."""

import io
import json
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from bloodcell.core.errors import ModelError, RunError, SpecError, StoppedError
from bloodcell.core.progress import Control
from bloodcell.inference.engine import Engine
from bloodcell.model_import import sandbox
from bloodcell.model_import.load_spec import LoadSpec, detect_format, make_model_name, parse_class_names
from bloodcell.model_import.sandbox import Limits, load_in_sandbox
from bloodcell.model_import.sandboxed.zipped_model import import_zipped_model
from bloodcell.model_store.model_zip import pack_model
from tests.inference.net import write_net, write_spec
from tests.model_store.keras_files import keras_bytes, layer, network
from tests.model_store.test_model_zip import files_of, zipped
from tests.pages.tiny_model import write_tiny_model
from tests.places import ROOT


class Lines(Control):
    def __init__(self):
        self.lines = []

    def log(self, line):
        self.lines.append(line)


class Stopped(Control):
    def should_stop(self):
        return True


@pytest.fixture
def tiny_zip(tmp_path):
    path = tmp_path / "tiny.zip"
    path.write_bytes(pack_model(write_tiny_model(tmp_path / "tiny")))
    return path


@pytest.fixture
def keras_file(tmp_path):
    (tmp_path / "net.keras").write_bytes(keras_bytes())
    return LoadSpec("net", str(tmp_path / "net.keras"), class_names=("A", "B", "C", "D"))


def packed_spec(path):
    return LoadSpec("tiny", str(path), "packed", path.name)


@pytest.mark.process
def test_a_zipped_model_comes_out_as_it_went_in(tiny_zip, tmp_path):
    lines = Lines()
    folder, smoke_test = load_in_sandbox(tmp_path / "work", packed_spec(tiny_zip), lines)
    assert lines.lines == ["Unpacking", "Inspecting the networks", "Trying it on drawn cells"]
    assert smoke_test.n_cells >= 10
    assert Engine(folder).model_sha256 == Engine(tmp_path / "tiny").model_sha256


@pytest.mark.process
def test_the_reason_comes_out_of_the_process(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    with pytest.raises(
        ModelError, match="This zip file cannot be imported as a model: it cannot be read as a zip file"
    ):
        load_in_sandbox(tmp_path / "work", packed_spec(tmp_path / "bad.zip"), Control())
    with pytest.raises(ModelError, match=r"The file gone\.zip is no longer there\. Choose it again"):
        load_in_sandbox(tmp_path / "work", packed_spec(tmp_path / "gone.zip"), Control())


@pytest.mark.process
def test_it_is_ended_when_it_is_stopped_or_takes_too_long(keras_file, tmp_path):
    began = time.monotonic()
    with pytest.raises(StoppedError):
        load_in_sandbox(tmp_path / "work", keras_file, Stopped())
    with pytest.raises(RunError, match=r"Importing the model took longer than 0\.5 s and was stopped"):
        load_in_sandbox(tmp_path / "work", keras_file, Control(), Limits(max_s=0.5))
    with pytest.raises(RunError, match="Importing the model took more than 1 s of processor time and was stopped"):
        load_in_sandbox(tmp_path / "work", keras_file, Control(), Limits(max_cpu_s=1))
    assert time.monotonic() - began < 60


@pytest.mark.process
def test_it_has_little_memory(tiny_zip, tmp_path):
    """ONNX Runtime's libraries alone need more."""
    with pytest.raises((ModelError, RunError), match=r"memory.* 0\.25 GB"):
        load_in_sandbox(tmp_path / "work", packed_spec(tiny_zip), Control(), Limits(max_bytes=2**28))


INSIDE = """
import json, os, socket, sys
from bloodcell.model_import.sandboxed.child import restrict_process
is_cut_off = restrict_process(2 ** 30, 60, 2 ** 20)
said = {"is_cut_off": is_cut_off}
try:
    bytearray(2 ** 31)
except MemoryError:
    said["memory"] = "none"
try:
    with open("large", "wb") as stream:
        stream.write(bytes(2 ** 21))
except OSError as error:
    said["file"] = error.strerror
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2).close()
except OSError as error:
    said["network"] = error.strerror
print(json.dumps(said))
"""


@pytest.mark.process
def test_what_it_may_not_do(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", INSIDE, str(server.getsockname()[1])],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    said = json.loads(done.stdout)
    assert (said["memory"], said["file"]) == ("none", "File too large")
    assert ("network" in said) == said["is_cut_off"]


@pytest.mark.process
@pytest.mark.parametrize(
    "response",
    [b"{", b"[1]", b'{"made": 3}', b'{"made": {"n_cells": "x", "ms_per_cell": 1, "named": {}}}', b"[" * 100_000],
)
def test_a_response_that_makes_no_sense(response, tiny_zip, tmp_path, monkeypatch):
    """As a process that a hostile file has taken over could write it."""
    code = f"import pathlib; pathlib.Path('answer.json').write_bytes({response!r})"
    start = subprocess.Popen
    monkeypatch.setattr(sandbox.subprocess, "Popen", lambda _, **how: start([sys.executable, "-c", code], **how))
    with pytest.raises(RunError, match=r"The process that imports the model gave no valid response\."):
        load_in_sandbox(tmp_path / "work", packed_spec(tiny_zip), Control())


def test_it_does_not_see_our_settings(monkeypatch, tmp_path):
    from bloodcell.model_import.sandbox import _make_environment

    monkeypatch.setenv("BLOODCELL_DB", "postgresql://ada:secret@10.0.0.4/bloodcell")
    assert "secret" not in str(_make_environment(tmp_path))


# Zipped models, without the process around


def take(tmp_path, data):
    (tmp_path / "model.zip").write_bytes(data)
    import_zipped_model(tmp_path / "model.zip", tmp_path / "taken", lambda step: None)


def pickled():
    stream = io.BytesIO()
    np.savez(stream, a=np.array([{"code": 1}], dtype=object))
    return stream.getvalue()


LAMBDA = keras_bytes(network(layer("Lambda", function="os.system")))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pixel/model.onnx": b"damaged"}, r"model\.onnx is (damaged|refused)"),
        ({"pixel/mask.onnx": b"damaged"}, r"mask\.onnx is (damaged|refused)"),
        ({"pixel/model.keras": LAMBDA}, "Lambda is not allowed"),
        ({"pixel/model.keras": b"\x80\x04 pickle"}, "it is a pickle"),
        ({"pixel/metrics.json": b"[1]"}, r"metrics\.json must be one JSON object"),
        ({"pixel/adapt.json": b"{"}, r"adapt\.json is not valid JSON"),
        ({"pixel/README.md": b"\xff\xfe\xff"}, r"README\.md is not text in UTF-8"),
        ({"pixel/out_of_fold.npz": pickled()}, r"out_of_fold\.npz holds no readable arrays"),
        ({"pixel/feature_statistics.npz": b"no arrays"}, r"feature_statistics\.npz holds no readable arrays"),
    ],
)
def test_files_of_a_zip_that_are_refused(changes, match, tmp_path):
    folder = write_net(tmp_path / "pixel")
    with pytest.raises(ModelError, match=match):
        take(tmp_path, zipped(files_of(folder, **changes)))


@pytest.mark.process
def test_a_spec_that_names_another_shape_is_refused_by_the_smoke_test(tmp_path):
    folder = write_net(tmp_path / "pixel")
    write_spec(folder, side_px=48)
    (tmp_path / "model.zip").write_bytes(pack_model(folder))
    with pytest.raises(
        ModelError,
        match=r"The input of the network of made is \['N', 32, 32, 3\], but spec\.json names \(N, 48, 48, 3\)",
    ):
        load_in_sandbox(tmp_path / "work", packed_spec(tmp_path / "model.zip"), Control())


def test_nothing_is_written_beside_the_folder(tmp_path):
    folder = write_net(tmp_path / "pixel")
    with pytest.raises(ModelError, match="Its path leads out of the zip"):
        take(tmp_path, zipped(files_of(folder, **{"../evil.json": b"{}"})))
    assert not list(tmp_path.rglob("evil*"))
    assert zipfile.is_zipfile(tmp_path / "model.zip")


# The settings


def test_settings_are_read_as_they_were_written():
    spec = LoadSpec("net", "/a/net.keras", "keras", "net.keras", ("A", "B"), "image", -1)
    assert LoadSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": ""}, "A name for the model is needed"),
        ({"file": ""}, "A file to load is needed"),
        ({"format": "h5"}, "`format` must be one of"),
        ({"input": "field"}, "`input` must be one of"),
        ({"levels": 2}, r"`levels` must be one of \[255, 1, -1\]\. Received: 2"),
        ({"class_names": "AB"}, "`class_names` must be a list. Received"),
        ({"colour": 1}, "Unknown settings"),
    ],
)
def test_settings_that_make_no_sense(change, match):
    values = {"name": "net", "file": "/a/net.keras", "class_names": ["A", "B"]} | change
    with pytest.raises(SpecError, match=match):
        LoadSpec.from_json(json.dumps(values))


def test_class_names_are_read_as_people_write_them():
    assert parse_class_names("A, B,C") == parse_class_names("A\n  B \n\nC,\n") == ("A", "B", "C")
    assert parse_class_names(" \n") == ()


@pytest.mark.parametrize(
    ("file_name", "match"),
    [
        ("net.h5", r"old HDF5 format \(\.h5\) can hold code"),
        ("net.PKL", "opening a pickle can run any program"),
        ("saved_model.pb", "a SavedModel is a TensorFlow program"),
        ("net.onnx", r"choose a \.keras file, or a \.zip"),
        ("net", r"choose a \.keras file, or a \.zip"),
    ],
)
def test_other_files_are_not_taken(file_name, match):
    with pytest.raises(ModelError, match=match):
        detect_format(file_name)


def test_names_from_file_names():
    assert [detect_format("A.KERAS"), detect_format("a.zip")] == ["keras", "packed"]
    assert make_model_name("my model (2).keras") == "my-model-2"
    assert make_model_name("../../etc/.passwd.keras") == "passwd"
    assert make_model_name("....keras") == "model"
