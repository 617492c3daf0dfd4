"""Trained U-Nets of a workspace: listed by themselves, and never as classifiers."""

import json

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.library import get_model, list_models
from bloodcell.model_store.mask_models import Examples, list_mask_models, read_mask_model

SPEC = {"kind": "masks", "title": "Mine", "height_px": 32, "width_px": 48}
METRICS = {"held_back": {"dice": {"mean": 0.9}, "images": 4}}


def put(folder, spec=SPEC, metrics=METRICS):
    folder.mkdir(parents=True)
    (folder / "mask.onnx").write_bytes(b"network")
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "ws", db_url="sqlite://", shipped_models_dir=tmp_path / "models")


def test_they_are_listed_by_name_and_are_no_classifiers(settings):
    assert list_mask_models(settings) == []
    for name in ("b", "a"):
        put(settings.runs_dir / name)
    put(settings.runs_dir / "damaged", {"kind": "masks"})
    put(settings.runs_dir / "trials", SPEC | {"kind": "trials"})
    (settings.runs_dir / "notes.txt").touch()
    assert [model.name for model in list_mask_models(settings)] == ["a", "b"]
    assert list_models(settings) == []
    with pytest.raises(ModelError, match=r"The model folder a lacks model\.onnx"):
        get_model("a", settings)


def test_what_one_says_of_itself(tmp_path):
    model = read_mask_model(put(tmp_path / "mine"))
    assert (model.title, model.height_px, model.width_px, model.metrics["images"]) == ("Mine", 32, 48, 4)


def test_what_is_no_u_net(tmp_path):
    with pytest.raises(ModelError, match=r"The folder trials does not hold a U-Net\. Received: 'trials'"):
        read_mask_model(put(tmp_path / "trials", SPEC | {"kind": "trials"}))
    with pytest.raises(ModelError, match="The description of the U-Net in bare cannot be read: 'height_px'"):
        read_mask_model(put(tmp_path / "bare", {"kind": "masks"}))
    (put(tmp_path / "half") / "mask.onnx").unlink()
    with pytest.raises(ModelError, match=r"The U-Net folder half lacks mask\.onnx"):
        read_mask_model(tmp_path / "half")
    with pytest.raises(ModelError, match=r"The example images none\.npz cannot be read"):
        Examples.load(tmp_path / "none.npz")
