import pytest

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.folder import REQUIRED_FILES, find_io_spec, get_model, list_models, model_sha256, read_model

SPEC = '{"title": "%s", "class_names": ["A", "B"], "side_px": 32, "context": 1.2}'


def put(folder, title="", spec=None):
    folder.mkdir(parents=True)
    for name in REQUIRED_FILES:
        (folder / name).write_bytes(b"network")
    (folder / "spec.json").write_text(SPEC % title if spec is None else spec)
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "ws", db_url="sqlite://", shipped_models_dir=tmp_path / "shelf")


def test_no_folders_no_models(settings):
    assert list_models(settings) == []


def test_shipped_models_come_first_then_by_name(settings):
    put(settings.runs_dir / "a")
    put(settings.runs_dir / "b")
    put(settings.shipped_models_dir / "malaria")
    put(settings.shipped_models_dir / "wbc4")
    found = [(m.name, m.is_shipped) for m in list_models(settings)]
    assert found == [("wbc4", True), ("malaria", True), ("a", False), ("b", False)]


def test_a_shipped_model_hides_a_trained_one_of_its_name(settings):
    put(settings.shipped_models_dir / "wbc4", "ours")
    put(settings.runs_dir / "wbc4", "theirs")
    assert [model.title for model in list_models(settings)] == ["ours"]


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_run_that_is_not_finished_is_no_model(settings, missing):
    (put(settings.runs_dir / "half") / missing).unlink()
    (settings.runs_dir / "notes.txt").write_text("no folder")
    assert list_models(settings) == []


def test_what_a_model_says_of_itself(tmp_path):
    model = read_model(put(tmp_path / "mine"))
    assert (model.name, model.title) == ("mine", "mine")  # no title: the folder's name
    assert model.class_names == ("A", "B")
    assert model.sha256 == model_sha256(tmp_path / "mine")
    assert len(model.sha256) == 64


@pytest.mark.parametrize("changed", REQUIRED_FILES)
def test_every_file_that_decides_an_answer_changes_the_hash(tmp_path, changed):
    """Two folders that differ in one byte of one file; the card does not count."""
    before, after = put(tmp_path / "a"), put(tmp_path / "b")
    (after / "README.md").write_text("# Another card")
    assert model_sha256(before) == model_sha256(after)
    (after / changed).write_bytes((after / changed).read_bytes() + b" ")
    assert model_sha256(before) != model_sha256(after)


def test_get_by_name(settings):
    put(settings.shipped_models_dir / "wbc4")
    assert get_model("wbc4", settings).folder == settings.shipped_models_dir / "wbc4"


def test_what_a_model_takes(settings):
    put(settings.shipped_models_dir / "cells")
    put(settings.runs_dir / "pictures", spec='{"class_names": ["A"], "side_px": 4, "input": "image"}')
    assert [find_io_spec(name, settings).input for name in ("cells", "pictures")] == ["cell", "image"]
    assert find_io_spec("none", settings) is None
    assert get_model("pictures", settings).input == "image"


@pytest.mark.parametrize(("names", "there"), [((), "none"), (("a", "b"), "a, b")])
def test_an_unknown_name_tells_which_there_are(settings, names, there):
    for name in names:
        put(settings.shipped_models_dir / name)
    with pytest.raises(ModelError, match=f"no model 'wbc5' on the shelf. Models there: {there}"):
        get_model("wbc5", settings)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", r"spec\.json of the model bad cannot be read"),
        ("3", r"spec\.json of the model bad must be one JSON object"),
        ('{"side_px": 4}', r"spec\.json of the model bad lacks class_names\."),
        ('{"class_names": []}', r"spec\.json of the model bad lacks side_px, context\."),
    ],
)
def test_a_spec_that_makes_no_sense(tmp_path, spec, message):
    with pytest.raises(ModelError, match=message):
        read_model(put(tmp_path / "bad", spec=spec))


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_missing_file(tmp_path, missing):
    folder = put(tmp_path / "half")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=f"model folder half lacks {missing}"):
        read_model(folder)
