"""Moving a model folder into the model library: whole, under a name that nobody else has."""

from dataclasses import replace

import pytest

from bloodcell.core.errors import RunError
from bloodcell.core.settings import load_settings
from bloodcell.model_store.publish import get_unfinished_dir, publish_model


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "models" / "wbc4").mkdir(parents=True)
    return replace(load_settings(), home=tmp_path / "home", shipped_models_dir=tmp_path / "models")


def folder(tmp_path, content):
    made = tmp_path / "work" / "model"
    made.mkdir(parents=True)
    (made / "model.onnx").write_text(content)
    return made


def test_names_are_never_given_twice(settings, tmp_path):
    names = [publish_model(folder(tmp_path, str(number)), "mine", settings) for number in range(3)]
    assert names == ["mine", "mine-2", "mine-3"]
    assert [(settings.runs_dir / name / "model.onnx").read_text() for name in names] == ["0", "1", "2"]
    assert not (tmp_path / "work" / "model").exists()


def test_a_shipped_model_keeps_its_name(settings, tmp_path):
    assert publish_model(folder(tmp_path, ""), "wbc4", settings) == "wbc4-2"


def test_a_folder_that_is_not_there(settings, tmp_path):
    with pytest.raises(RunError, match=r"The folder .*none cannot be moved to .*: No such file"):
        publish_model(tmp_path / "none", "mine", settings)


def test_what_is_unfinished_lies_beside_and_is_hidden(tmp_path):
    assert get_unfinished_dir(tmp_path / "mine") == tmp_path / ".mine.unfinished"
