"""The model library: which models there are, in which order, and what each says of itself."""

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.folder import REQUIRED_FILES, ModelFolder
from bloodcell.model_store.library import find_io_spec, find_model, get_model, list_models, read_model
from tests.model_store.model_files import put_model


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "ws", db_url="sqlite://", shipped_models_dir=tmp_path / "models")


def test_no_folders_no_models(settings):
    assert list_models(settings) == []


def test_shipped_models_come_first_then_by_name(settings):
    put_model(settings.runs_dir / "a")
    put_model(settings.runs_dir / "b")
    put_model(settings.shipped_models_dir / "malaria")
    put_model(settings.shipped_models_dir / "wbc4")
    found = [(m.name, m.is_shipped) for m in list_models(settings)]
    assert found == [("wbc4", True), ("malaria", True), ("a", False), ("b", False)]


def test_a_shipped_model_hides_a_trained_one_of_its_name(settings):
    put_model(settings.shipped_models_dir / "wbc4", "ours")
    put_model(settings.runs_dir / "wbc4", "theirs")
    assert [model.title for model in list_models(settings)] == ["ours"]


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_run_that_is_not_finished_is_no_model(settings, missing):
    (put_model(settings.runs_dir / "half") / missing).unlink()
    (settings.runs_dir / "notes.txt").write_text("no folder")
    assert list_models(settings) == []
    with pytest.raises(ModelError, match=f"The model folder half lacks {missing}"):
        get_model("half", settings)


def test_what_a_model_says_of_itself(tmp_path):
    model = read_model(put_model(tmp_path / "mine"))
    assert (model.name, model.title) == ("mine", "mine")  # no title: the folder's name
    assert model.class_names == ("A", "B")
    assert model.sha256 == ModelFolder(tmp_path / "mine").compute_sha256()
    assert len(model.sha256) == 64


def test_get_by_name(settings):
    put_model(settings.shipped_models_dir / "wbc4")
    assert get_model("wbc4", settings).folder == settings.shipped_models_dir / "wbc4"


def test_find_by_folder_or_name(settings, tmp_path):
    put_model(settings.shipped_models_dir / "wbc4")
    folder = put_model(tmp_path / "elsewhere" / "mine")
    assert find_model(str(folder), settings).folder == folder
    assert find_model("wbc4", settings).folder == settings.shipped_models_dir / "wbc4"
    with pytest.raises(ModelError, match="no model 'none' in the model library"):
        find_model("none", settings)


def test_what_the_input_of_a_model_is(settings):
    put_model(settings.shipped_models_dir / "cells")
    put_model(settings.runs_dir / "images", spec='{"class_names": ["A"], "side_px": 4, "input": "image"}')
    assert [find_io_spec(name, settings).input for name in ("cells", "images")] == ["cell", "image"]
    assert find_io_spec("none", settings) is None
    assert get_model("images", settings).io_spec.input == "image"


@pytest.mark.parametrize(("names", "there"), [((), "none"), (("a", "b"), "a, b")])
def test_an_unknown_name_tells_which_there_are(settings, names, there):
    for name in names:
        put_model(settings.shipped_models_dir / name)
    with pytest.raises(ModelError, match=f"no model 'wbc5' in the model library. Available models: {there}"):
        get_model("wbc5", settings)
