"""A model folder as a zip and back: the same predictions, and nothing in it but files of a model."""

import io
import zipfile

import numpy as np
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.model_store.folder import OLD_NAMES, ModelFolder
from bloodcell.model_store.library import read_model
from bloodcell.model_store.model_zip import PackedModel, inspect_model_zip, pack_model, unpack_model
from bloodcell.model_store.provenance import Provenance
from bloodcell.synthetic.gallery import draw_sample_set
from tests.inference.net import crops, write_net, write_spec
from tests.inference.test_engine import SHIPPED


@pytest.fixture
def folder(tmp_path):
    folder = write_net(tmp_path / "pixel")
    (folder / "notes of a person.txt").write_text("mine")
    (folder / "README.md").write_text("# Pixel")
    return folder


def zipped(files, **how):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data, **how)
    return stream.getvalue()


def files_of(folder, **changes):
    names = {f"pixel/{path.name}": path.read_bytes() for path in folder.iterdir() if path.suffix != ".txt"}
    return {name: data for name, data in (names | changes).items() if data is not None}


def refused(data, match):
    with pytest.raises(ModelError, match=match):
        inspect_model_zip(io.BytesIO(data))


def test_packed_and_unpacked_is_the_same_model(folder, tmp_path):
    data = pack_model(folder)
    assert data == pack_model(folder)
    assert inspect_model_zip(io.BytesIO(data)) == PackedModel("pixel", "Pixel", ("RED", "GREEN", "BLUE"), "cell", True)
    unpack_model(io.BytesIO(data), tmp_path / "again")
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
        "README.md",
        "feature_statistics.npz",
        "model.onnx",
        "spec.json",
    ]
    before, after = Engine(folder), Engine(tmp_path / "again")
    assert after.model_sha256 == before.model_sha256
    cells = crops((204, 200, 200), (90, 96, 90), (3, 200, 7))
    ours, theirs = before.classify(cells), after.classify(cells)
    for name in ("probs", "in_distribution", "distance", "status"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))


def test_the_shipped_model_answers_the_same_after_the_way_through_a_zip(tmp_path):
    unpack_model(io.BytesIO(pack_model(SHIPPED)), tmp_path / "wbc4")
    images = [data for _, data in draw_sample_set(4)]
    ours, theirs = (list(analyse(Engine(one), images)) for one in (SHIPPED, tmp_path / "wbc4"))
    assert ours == theirs
    assert sum(len(result.cells) for result in ours) > 2
    assert read_model(tmp_path / "wbc4").sha256 == read_model(SHIPPED).sha256


def test_files_at_the_root_of_the_zip(folder):
    data = zipped({name.removeprefix("pixel/"): content for name, content in files_of(folder).items()})
    assert inspect_model_zip(io.BytesIO(data)).name == ""


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"../model.onnx": b"x"}, "Its path leads out of the zip"),
        ({"/model.onnx": b"x"}, "Its path leads out of the zip"),
        ({"pixel/run.py": b"x"}, "it holds 'pixel/run.py', which is not a file of a model"),
        ({"pixel/weights.pkl": b"x"}, "it holds 'pixel/weights.pkl', which is not a file of a model"),
        ({"a/b/model.onnx": b"x"}, "which is not a file of a model"),
        ({"other/model.onnx": b"x"}, r"it holds model\.onnx twice"),
        ({"pixel/model.onnx": None}, r"it lacks model\.onnx"),
        ({"pixel/spec.json": None}, r"it lacks spec\.json"),
        ({"pixel/feature_statistics.npz": None}, r"it lacks feature_statistics\.npz"),
        ({"pixel/spec.json": b"{"}, r"spec\.json of the model pixel cannot be read"),
        ({"pixel/spec.json": b"[" * 100_000}, r"spec\.json of the model pixel cannot be read"),
        (
            {"pixel/spec.json": b'{"class_names": "AB", "side_px": 8, "context": 1}'},
            "must be a list of different names",
        ),
        ({"pixel/spec.json": b'{"class_names": ["A"], "side_px": 8, "context": "x"}'}, "`context` of the model pixel"),
        ({"pixel/model.onnx": bytes(2 * 2**20)}, "like a zip bomb"),
        ({"pixel/README.md": b"ab" * (9 * 2**20)}, "like a zip bomb"),
    ],
)
def test_zips_that_are_refused(folder, changes, match):
    refused(zipped(files_of(folder, **changes)), match)


def test_a_card_that_is_too_long(folder):
    long = np.random.default_rng(0).integers(0, 256, 17 * 2**20, np.uint8).tobytes()
    refused(
        zipped(files_of(folder, **{"pixel/README.md": long})),
        r"its README\.md has 17 MB, and at most 16 MB are allowed",
    )


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 half of one"])
def test_what_is_no_zip(data):
    refused(data, "it cannot be read as a zip file")


def test_a_model_without_thresholds_says_so(folder):
    write_spec(folder, outputs=["logits"], calibration=None)
    (folder / "feature_statistics.npz").unlink()
    assert not inspect_model_zip(io.BytesIO(pack_model(folder))).has_thresholds


# Zips of Bloodcell 0.1


def old_files_of(folder, **changes):
    renamed = {f"pixel/{new}": f"pixel/{old}" for new, old in OLD_NAMES.items()}
    return {renamed.get(name, name): data for name, data in files_of(folder, **changes).items()}


def test_a_zip_with_the_old_names_is_unpacked_to_the_same_model(folder, tmp_path):
    ModelFolder(folder).write_provenance(Provenance.from_sha256(["ab" * 32]))
    files = old_files_of(folder)
    assert {"pixel/typical.npz", "pixel/learned.npz"} < files.keys()
    assert inspect_model_zip(io.BytesIO(zipped(files))).has_thresholds
    unpack_model(io.BytesIO(zipped(files)), tmp_path / "again")
    assert sorted(path.name for path in (tmp_path / "again").glob("*.npz")) == [
        "feature_statistics.npz",
        "provenance.npz",
    ]
    before, after = ModelFolder(folder), ModelFolder(tmp_path / "again")
    assert after.compute_sha256() == before.compute_sha256()
    assert after.read_provenance() == before.read_provenance() is not None


def test_a_folder_with_the_old_names_is_packed_under_the_new_ones(folder):
    before = pack_model(folder)
    (folder / "feature_statistics.npz").rename(folder / "typical.npz")
    assert pack_model(folder) == before
    with zipfile.ZipFile(io.BytesIO(before)) as archive:
        assert "pixel/feature_statistics.npz" in archive.namelist()


def test_a_model_under_old_names_answers_the_same(folder):
    cells = crops((204, 200, 200), (90, 96, 90))
    before = Engine(folder).classify(cells)
    (folder / "feature_statistics.npz").rename(folder / "typical.npz")
    after = Engine(folder).classify(cells)
    assert np.array_equal(before.distance, after.distance)
    assert np.array_equal(before.status, after.status)


def test_both_names_of_one_file_are_refused(folder):
    refused(zipped(files_of(folder, **{"pixel/typical.npz": b"x"})), r"it holds feature_statistics\.npz twice")
