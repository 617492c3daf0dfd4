"""The folder of one model: its files, their old names too, its hash, and which images it was trained on."""

import json
import shutil

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.model_store.folder import MODEL_FILES, OLD_NAMES, PROVENANCE_FILE, REQUIRED_FILES, ModelFolder
from bloodcell.model_store.provenance import Provenance
from tests.model_store.model_files import put_model
from tests.places import MODELS


def put(folder, **how):
    return ModelFolder(put_model(folder, **how))


def rename_as_before(folder):
    """The folder as Bloodcell 0.1 wrote it."""
    for new, old in OLD_NAMES.items():
        if (folder / new).is_file():
            (folder / new).rename(folder / old)


@pytest.mark.parametrize("changed", REQUIRED_FILES)
def test_every_file_that_decides_an_answer_changes_the_hash(tmp_path, changed):
    """Two folders that differ in one byte of one file; the card does not count."""
    before, after = put(tmp_path / "a"), put(tmp_path / "b")
    after.write_card("# Another card")
    assert before.compute_sha256() == after.compute_sha256()
    (after.path / changed).write_bytes((after.path / changed).read_bytes() + b" ")
    assert before.compute_sha256() != after.compute_sha256()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", r"spec\.json of the model bad cannot be read"),
        ("3", r"spec\.json of the model bad must be one JSON object"),
        ('{"side_px": 4}', r"spec\.json of the model bad lacks class_names\."),
        ('{"class_names": []}', r"spec\.json of the model bad lacks side_px, context\."),
        (
            '{"class_names": ["A", "A"], "side_px": 4, "context": 1}',
            r"bad must be a list of different names\. Received",
        ),
    ],
)
def test_a_spec_that_makes_no_sense(tmp_path, spec, message):
    with pytest.raises(ModelError, match=message):
        put(tmp_path / "bad", spec=spec).read_description()


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_missing_file(tmp_path, missing):
    folder = put(tmp_path / "half")
    (folder.path / missing).unlink()
    with pytest.raises(ModelError, match=f"model folder half lacks {missing}"):
        folder.read_description()


def test_the_description_keeps_all_that_was_written(tmp_path):
    folder = put(tmp_path / "mine")
    document = json.loads(folder.spec_file.read_text()) | {"calibration": {"temperature": 2}, "training": {"seed": 3}}
    folder.write_description(document)
    description = folder.read_description()
    assert description.document == document
    assert (description.title, description.calibration, description.training) == (
        "mine",
        {"temperature": 2},
        {"seed": 3},
    )


def test_metrics(tmp_path):
    folder = ModelFolder(tmp_path)
    assert folder.read_metrics() == {}
    folder.write_metrics({"accuracy": 1.0})
    assert folder.read_metrics() == {"accuracy": 1.0}


@pytest.mark.parametrize(("text", "reason"), [("{", "cannot be read"), ("[1]", "must be one JSON object")])
def test_damaged_metrics_are_refused(tmp_path, text, reason):
    folder = ModelFolder(tmp_path)
    folder.metrics_file.write_text(text)
    with pytest.raises(ModelError, match=rf"metrics\.json of the model .* {reason}"):
        folder.read_metrics()
    folder.metrics_file.unlink()
    folder.metrics_file.mkdir()
    with pytest.raises(ModelError, match=r"metrics\.json of the model .* cannot be read: Is a directory"):
        folder.read_metrics()


# Folders of Bloodcell 0.1


def test_old_names_still_open_with_the_same_hash(tmp_path):
    folder = put(tmp_path / "mine")
    provenance = Provenance.from_sha256(["ab" * 32])
    folder.write_provenance(provenance)
    sha256, description = folder.compute_sha256(), folder.read_description()
    rename_as_before(folder.path)
    assert sorted(path.name for path in folder.path.glob("*.npz")) == ["learned.npz", "typical.npz"]
    assert (folder.compute_sha256(), folder.read_description()) == (sha256, description)
    assert folder.read_provenance() == provenance
    assert folder.feature_statistics_file == folder.path / "typical.npz"


def test_the_new_name_wins_where_both_are_there(tmp_path):
    folder = put(tmp_path / "mine")
    (folder.path / "typical.npz").write_bytes(b"older")
    assert folder.feature_statistics_file == folder.path / "feature_statistics.npz"


@pytest.mark.parametrize("name", ["wbc4", "malaria"])
def test_a_shipped_model_under_old_names_is_the_same_model(tmp_path, name):
    shutil.copytree(MODELS / name, tmp_path / name)
    rename_as_before(tmp_path / name)
    ours, old = ModelFolder(MODELS / name), ModelFolder(tmp_path / name)
    assert old.compute_sha256() == ours.compute_sha256()
    assert old.read_provenance() == ours.read_provenance() is not None


def test_the_files_of_a_model_have_different_names():
    assert len({*MODEL_FILES, *OLD_NAMES.values()}) == len(MODEL_FILES) + len(OLD_NAMES)


# Which images it was trained on


def test_provenance(tmp_path):
    a, b, c = (letter * 64 for letter in "abc")
    first, second = Provenance.from_sha256([a], [a, b]), Provenance.from_sha256([b], [c])
    assert first.is_trained_on([a, b]).tolist() == [True, False]
    assert first.is_selected_on([a, b]).tolist() == [False, True]
    both = first | second
    assert (both.is_trained_on([a, b, c]).tolist(), both.is_selected_on([a, b, c]).tolist()) == (
        [True, True, False],
        [False, False, True],
    )
    folder = ModelFolder(tmp_path)
    assert folder.read_provenance() is None
    folder.write_provenance(both)
    assert folder.read_provenance() == both
    (tmp_path / PROVENANCE_FILE).write_bytes(b"PK")
    with pytest.raises(ModelError, match=r"provenance\.npz of the model .* is damaged"):
        folder.read_provenance()
