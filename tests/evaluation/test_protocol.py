"""Protocol and report as JSON: read back equal, keys of the first version, files of earlier ones."""

import json
from dataclasses import replace

import pytest

from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.metrics.report import EvaluationReport, Metric
from bloodcell.evaluation.protocol import EnsembleMember, EvaluationProtocol
from tests.evaluation.made import made_evaluation

STORED_KEYS = {
    *("model", "model_title", "model_sha256", "class_names", "temperature", "title", "dataset", "dataset_id"),
    *("dataset_sha256", "part", "groups", "path", "left_out", "left_out_marked", "leak", "images_sha256"),
    *("images_per_s", "created", "seconds", "versions", "revision"),
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spec": {"name": "mine", "data": {"path": "x"}}, "data_dir": "/data"},
        {"command": "bloodcell evaluate net set"},
        {"members": (EnsembleMember("a", "1"), EnsembleMember("b", "2")), "temperature": None},
        {"excluded_labels": {"BASOPHIL": 3}, "excluded_files": ("1.png", "2.png")},
        {"leak": LeakSummary(True, 30, 1, 2, 3, 4, ("Other",))},
    ],
)
def test_a_protocol_is_read_back_equal_and_keeps_its_keys(changes):
    protocol = EvaluationProtocol(model="net", class_names=("A", "B"), title="net on set", **changes)
    stored = json.loads(json.dumps(protocol.to_dict()))
    assert EvaluationProtocol.from_dict(stored) == protocol
    assert stored.keys() == STORED_KEYS | (changes.keys() & {"spec", "data_dir", "command", "members"})


def test_stored_words_are_those_of_the_first_version():
    protocol = EvaluationProtocol(excluded_files=("1.png",), excluded_labels={"X": 1}, leak=LeakSummary(True, 9, 4))
    stored = protocol.to_dict()
    assert (stored["left_out_marked"], stored["left_out"]) == (["1.png"], {"X": 1})
    assert stored["leak"]["learned"] == 4
    assert list(stored["leak"]) == [
        "is_known",
        "images",
        "learned",
        "same_cell",
        "near_copies",
        "chosen_on",
        "compared_with",
    ]


def test_what_an_earlier_version_did_not_write_is_missing_and_stays_so():
    stored = EvaluationProtocol(model="net").to_dict()
    del stored["leak"], stored["left_out_marked"]
    protocol = EvaluationProtocol.from_dict(stored)
    assert protocol.missing == ("left_out_marked", "leak")
    assert not protocol.leak.is_known
    assert protocol.to_dict() == stored


def test_a_report_is_read_back_equal_and_keeps_its_keys():
    report = made_evaluation().report
    stored = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert EvaluationReport.from_dict(stored) == report
    assert list(stored) == [
        *("images", "source_cells", "effective_cells", "not_answered"),
        *("figures", "classes", "votes", "status", "confusion"),
    ]
    assert {"confident_right", "held_back", "wrong_not_confident", "accuracy"} <= stored["figures"].keys()
    assert stored["votes"].keys() == {"value", "interval"}
    assert stored["classes"]["MONOCYTE"].keys() >= {"support", "source_cells", "recall", "roc_auc"}


def test_a_metric_that_is_undefined_is_null():
    assert Metric(None).to_dict() == {"value": None, "interval": None, "plain_interval": None}
    assert Metric.from_dict({"value": 0.5, "interval": [0.1, 0.9]}) == Metric(0.5, (0.1, 0.9))


def test_leaks_in_plain_sentences():
    none = LeakSummary(True, 30, near_copies=0, compared_with=("One", "Two"))
    assert none.describe() == [
        "The model was trained on none of these images.",
        "Near copies were searched for in One, Two.",
    ]
    some = replace(none, trained_on=1, same_cell=2, near_copies=3, chosen_on=4)
    first, _, last = some.describe()
    assert (some.n_leaking, some.is_clean) == (6, False)
    assert first.startswith("The model was trained on 6 of these 30 images (the same image: 1, another image")
    assert "chosen on 4 of the images" in last
    (unknown,) = LeakSummary(False, 30).describe()
    assert unknown.startswith("It is not known which images this model was trained on")
    assert "switched off" in LeakSummary(True, 30).describe()[1]
