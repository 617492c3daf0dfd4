"""What the folder of a detector says of itself, and what is none."""

import json

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.detectors import SHIPPED_DETECTOR, read_detector_model
from bloodcell.model_store.library import list_models
from bloodcell.model_store.mask_models import list_mask_models

SPEC = {
    "kind": "detector",
    "title": "Mine",
    "class_names": ["WBC", "RBC", "PLATELET"],
    "red_cell_px": 36,
    # in another order than the classes
    "thresholds": {"PLATELET": 0.3, "WBC": 0.5, "RBC": 0.4},
    "exclusive": ["RBC", "WBC"],
}
METRICS = {"held_out": {"map50": 0.9}}
FILES = ("detector.onnx", "spec.json", "metrics.json")


def put(folder, spec=SPEC, metrics=METRICS, **changes):
    folder.mkdir(parents=True)
    (folder / "detector.onnx").write_bytes(b"network")
    (folder / "spec.json").write_text(
        json.dumps({key: value for key, value in (spec | changes).items() if value != ""})
    )
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_what_one_says_of_itself(tmp_path):
    model = read_detector_model(put(tmp_path / "mine"))
    assert (model.name, model.title, model.red_cell_px) == ("mine", "Mine", 36.0)
    assert model.class_names == ("WBC", "RBC", "PLATELET")
    assert model.thresholds.tolist() == [0.5, 0.4, 0.3]
    assert model.exclusive == (1, 0)
    assert model.metrics == METRICS
    assert model.network_file == tmp_path / "mine" / "detector.onnx"


@pytest.mark.parametrize("changes", [{"title": ""}, {"title": None}])
def test_one_without_a_title_is_called_by_its_folder(tmp_path, changes):
    assert read_detector_model(put(tmp_path / "mine", **changes)).title == "mine"


def test_classes_need_not_exclude_each_other(tmp_path):
    assert read_detector_model(put(tmp_path / "mine", exclusive=[])).exclusive == ()


@pytest.mark.parametrize("file", FILES)
def test_each_file_is_needed(tmp_path, file):
    folder = put(tmp_path / "half")
    (folder / file).unlink()
    with pytest.raises(ModelError, match=rf"The detector half lacks {file}"):
        read_detector_model(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"The detector none lacks detector\.onnx"):
        read_detector_model(tmp_path / "none")


@pytest.mark.parametrize("kind", ["masks", None, ""])
def test_another_kind_of_model_is_no_detector(tmp_path, kind):
    with pytest.raises(ModelError, match=r"The folder mine does not hold a detector\. Received: ('masks'|None)"):
        read_detector_model(put(tmp_path / "mine", kind=kind))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_names": ""}, "'class_names'"),
        ({"class_names": 3}, "not iterable"),
        ({"red_cell_px": "wide"}, "could not convert string to float"),
        ({"red_cell_px": None}, "float"),
        ({"thresholds": {"WBC": 0.5, "RBC": 0.4}}, "'PLATELET'"),
        ({"thresholds": {"WBC": 0.5, "RBC": 0.4, "PLATELET": "low"}}, "could not convert string to float"),
        ({"thresholds": [0.5, 0.4, 0.3]}, "indices"),
        ({"exclusive": ["NEUTROPHIL"]}, "not in tuple"),
        ({"exclusive": ""}, "'exclusive'"),
    ],
)
def test_a_description_that_cannot_be_read(tmp_path, changes, said):
    with pytest.raises(ModelError, match=rf"The description of the detector mine cannot be read: .*{said}"):
        read_detector_model(put(tmp_path / "mine", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"red_cell_px": 0},
        {"red_cell_px": -36},
        {"red_cell_px": float("nan")},
        {"red_cell_px": float("inf")},
        {"thresholds": {"WBC": 0, "RBC": 0.4, "PLATELET": 0.3}},
        {"thresholds": {"WBC": 1, "RBC": 0.4, "PLATELET": 0.3}},
        {"thresholds": {"WBC": float("nan"), "RBC": 0.4, "PLATELET": 0.3}},
    ],
)
def test_values_out_of_range(tmp_path, changes):
    with pytest.raises(ModelError, match="The description of the detector mine has values out of range"):
        read_detector_model(put(tmp_path / "mine", **changes))


@pytest.mark.parametrize("file", ["spec.json", "metrics.json"])
@pytest.mark.parametrize("text", ["", "[1]", "{", "\xff"])
def test_files_that_are_no_json_objects(tmp_path, file, text):
    folder = put(tmp_path / "mine")
    (folder / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=file.replace(".", r"\.")):
        read_detector_model(folder)


def test_detectors_of_a_workspace_are_neither_classifiers_nor_u_nets(tmp_path):
    settings = Settings(home=tmp_path / "ws", db_url="sqlite://", shipped_models_dir=tmp_path / "models")
    put(settings.runs_dir / "mine")
    assert list_models(settings) == []
    assert list_mask_models(settings) == []


def test_the_shipped_detector_opens():
    if not SHIPPED_DETECTOR.is_dir():
        pytest.skip(f"no detector is shipped: {SHIPPED_DETECTOR} is absent")
    model = read_detector_model(SHIPPED_DETECTOR)
    assert model.class_names == ("WBC", "RBC", "PLATELET")
    assert [model.class_names[index] for index in model.exclusive] == ["WBC", "RBC"]
