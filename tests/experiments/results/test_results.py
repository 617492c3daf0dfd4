"""The folders that trials, k-fold and search write are read back; what is missing or damaged is one sentence."""

import json
import shutil

import pytest

from bloodcell.core.errors import RunError
from bloodcell.experiments.results.k_fold import read_kfold
from bloodcell.experiments.results.search import read_search
from bloodcell.experiments.results.trials import read_trials, read_trials_so_far
from bloodcell.training.output.result_folder import write_table
from bloodcell.training.specs.train_spec import TrainSpec
from tests.experiments.results.result_folders import result_folders
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
READERS = {"trials": read_trials, "kfold": read_kfold, "search": read_search}


@pytest.fixture
def folders(tmp_path_factory, tmp_path):
    """A copy of the folders that may be damaged."""
    return shutil.copytree(result_folders(tmp_path_factory), tmp_path / "runs")


def test_trials(folders):
    """Two trials all right and one all wrong: mean 2/3, two converged."""
    found = read_trials(folders / "trials")
    assert (found.converged, found.trials["accuracy"].tolist()) == (2, [1.0, 1.0, 0.0])
    assert found.trials["converged"].tolist() == [True, True, False]
    assert found.spread.set_index("figure").loc["accuracy", "mean"] == pytest.approx(0.6667)
    assert found.remarks == ("Measured on fold 1 of 3: source cells that no trial was trained on.",)
    assert found.leaky == ()


def test_k_fold(folders):
    """Two of three parts right, with as many cells in each."""
    found = read_kfold(folders / "kfold")
    assert found.folds["fold"].tolist() == [0, 1, 2]
    assert found.folds["accuracy"].tolist() == [1.0, 1.0, 0.0]
    assert found.metrics["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    low, high = found.metrics["interval"]
    assert low < 2 / 3 < high


def test_a_search(folders):
    found = read_search(folders / "search")
    assert (found.metric, found.is_minimised) == ("log_loss", True)
    assert found.trials["state"].tolist() == ["done", "done", "given up", "diverged"]
    assert found.trials["log_loss"].tolist()[:2] == [0.9, 0.4]
    assert found.trials["log_loss"].isna().tolist() == [False, False, True, True]
    assert (found.best["trial"], found.best["scaling"]) == (2, "channel")
    assert (found.space["learning_rate"]["log"], found.importance) == (True, {})
    best = TrainSpec.from_json(found.spec)
    assert (best.scaling, best.learning_rate, best.name) == ("channel", 2e-3, "drawn")


@pytest.mark.parametrize("kind", READERS)
def test_a_folder_that_is_gone(folders, kind):
    shutil.rmtree(folders / kind)
    with pytest.raises(RunError, match=rf"cannot be read: .*{kind}\.json \(No such file or directory\)"):
        READERS[kind](folders / kind)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: json.dumps(json.loads(text) | {"trials": [], "folds": []}),
        lambda text: json.dumps(json.loads(text) | {"leaky": None, "validation": 1}),
        lambda text: json.dumps(json.loads(text) | {"figures": {}, "interval": [1], "best": {}}),
        lambda text: json.dumps(json.loads(text) | {"trials": [1], "folds": "none"}),
    ],
)
def test_a_damaged_folder(folders, kind, damage):
    file = folders / kind / f"{kind}.json"
    file.write_text(damage(file.read_text()))
    with pytest.raises(RunError, match=rf"The result in .*{kind} is damaged: "):
        READERS[kind](folders / kind)


def test_rows_of_a_job_that_still_runs(tmp_path):
    assert read_trials_so_far(tmp_path) == []
    write_table(tmp_path / "trials.csv", [{"trial": 1, "scaling": "-1..1", "accuracy": None}])
    assert read_trials_so_far(tmp_path) == [{"trial": "1", "scaling": "-1..1", "accuracy": ""}]
    (tmp_path / "trials.csv").write_bytes(b"\xff")
    assert read_trials_so_far(tmp_path) == []
