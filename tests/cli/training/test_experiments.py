"""``trials``, ``kfold``, ``search`` and ``adapt`` on the command line; a search that is really killed."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bloodcell.cli import main
from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs.store import list_jobs
from bloodcell.training.specs.adapt_spec import AdaptSpec, find_cells_source
from bloodcell.training.specs.search_spec import Choices, Range, SearchSpec
from tests.conftest import step_by_step
from tests.jobs.light_worker import wait_for
from tests.places import ROOT
from tests.training.tiny_run import CELLS_PER_CLASS, FOREIGN_WARNINGS, SPEC, write_cells

pytestmark = [*FOREIGN_WARNINGS, pytest.mark.usefixtures("without_graphs")]
BASE = replace(SPEC, epochs=2, images_per_epoch=320)
SPACE = (("dropout", Range(0.0, 0.5)), ("stage_widths", Choices(((6,), (8,)))))
SEARCH = SearchSpec("tiny", BASE, SPACE, trials=3, startup_trials=3)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))


def run(*args):
    return main.main([str(arg) for arg in args])


def history(out):
    path = out.with_name(f".{out.name}.unfinished") / "history.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """(folder, history when it was killed) of a search of three trials, killed in the second and then gone on with."""
    folder = tmp_path_factory.mktemp("killed")
    write_cells(folder / "data")
    (folder / "search.json").write_text(SEARCH.to_json())
    command = ("search", folder / "search.json", "--data", folder / "data", "--out", folder / "found")
    env = os.environ | {"BLOODCELL_HOME": str(folder / "ws")}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bloodcell", *map(str, command)], cwd=ROOT, env=env, stdout=log, stderr=log
        )
        try:
            wait_for(lambda: len(history(folder / "found")) >= 3 or process.poll() is not None, "the second trial", 500)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    before = history(folder / "found")
    with pytest.MonkeyPatch.context() as patch, step_by_step():
        patch.setenv("BLOODCELL_HOME", str(folder / "ws"))
        assert run(*command) == 1  # not without --resume
        assert run(*command, "--resume") == 0
    return folder, before


def test_a_killed_search_keeps_its_trials(killed):
    folder, before = killed
    result = json.loads((folder / "found" / "search.json").read_text())
    assert [row["state"] for row in result["trials"] if row["state"] != "broken off"] == ["done"] * 3
    assert [row["state"] for row in result["trials"]].count("broken off") <= 1  # none if killed between two trials
    first = (folder / "found" / "history" / "trial-1.csv").read_text().splitlines()[1:]
    assert first == before[:2]  # not run again
    assert not folder.joinpath(".found.unfinished").exists()


def test_a_trial_that_was_killed_goes_on_with_the_same_settings(killed):
    folder, before = killed
    rows = json.loads((folder / "found" / "search.json").read_text())["trials"]
    second = [row for row in rows if row["fit"] == 2]
    assert len({(row["dropout"], str(row["stage_widths"])) for row in second}) == 1
    assert (folder / "found" / "history" / "trial-2.csv").read_text().splitlines()[1] == before[2]


def test_the_best_settings_are_a_spec_to_train_with(killed):
    from bloodcell.training.specs.train_spec import TrainSpec

    folder, _ = killed
    best = TrainSpec.read(folder / "found" / "spec.json")
    rows = json.loads((folder / "found" / "search.json").read_text())
    assert best.dropout == rows["best"]["dropout"]
    assert list(best.stage_widths) == rows["best"]["stage_widths"]
    assert rows["best"]["log_loss"] == min(row["log_loss"] for row in rows["trials"] if row["state"] == "done")
    assert best.name == "tiny"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_cell_is_scored_once_and_none_is_in_two_folds(tmp_path, capsys):
    write_cells(tmp_path / "data")
    (tmp_path / "spec.json").write_text(replace(SPEC, folds=2).to_json())
    assert run("kfold", tmp_path / "spec.json", "--data", tmp_path / "data", "--out", tmp_path / "report") == 0
    assert "over 24 source cells" in capsys.readouterr().err
    result = tmp_path / "report"
    assert {path.name for path in (result / "history").iterdir()} == {"fold-1.csv", "fold-2.csv"}
    summary = json.loads((result / "kfold.json").read_text())
    split, answers = rows_of(result / "split.csv"), rows_of(result / "predictions.csv")
    assert len({row["file"] for row in split}) == len(split) == summary["images"] == 8 * CELLS_PER_CLASS
    assert len({row["group"] for row in split}) == len({(row["group"], row["split"]) for row in split}) == 24
    assert [row["file"] for row in answers] == [row["file"] for row in split]
    assert {row["source_cell"] for row in answers} == {row["group"] for row in split}
    right = sum(row["prediction"] == row["label"] for row in answers)
    assert summary["accuracy"] == pytest.approx(right / len(answers), abs=1e-4)
    low, high = summary["interval"]
    assert low <= summary["accuracy"] <= high
    assert [int(row["images"]) for row in rows_of(result / "folds.csv")] == [f["images"] for f in summary["folds"]]
    assert sum(fold["images"] for fold in summary["folds"]) == len(answers)


def test_what_cannot_be_tried(tmp_path, capsys):
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    where = ("--data", tmp_path, "--out", tmp_path / "out")
    assert run("trials", tmp_path / "spec.json", *where, "--n", 1) == 1
    assert "`n` must be from 2 to 200. Received: 1" in capsys.readouterr().err
    assert run("search", tmp_path / "spec.json", *where) == 1
    assert "`space` must be an object" in capsys.readouterr().err
    assert run("kfold", tmp_path / "spec.json", "--data", tmp_path / "none", "--out", tmp_path / "out") == 1
    assert "There is no data folder" in capsys.readouterr().err


def test_cells_and_models_that_are_not_there(tmp_path, capsys):
    assert run("adapt", "nothing", tmp_path, "--out", tmp_path / "out") == 1
    assert "There is no model 'nothing' in the model library" in capsys.readouterr().err
    assert run("adapt", "wbc4", "nothing", "--out", tmp_path / "out") == 1
    assert "nothing" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    assert run("adapt", "wbc4", tmp_path, "--out", tmp_path / "out") == 1
    assert "out is not empty. Choose a new one." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "spec", "name"),
    [
        ("trials", SPEC, "drawn-trials"),
        ("kfold", SPEC, "drawn-kfold"),
        ("search", SEARCH, "tiny-search"),
        ("adapt", None, "mine"),
    ],
)
def test_each_can_be_submitted(kind, spec, name, tmp_path, monkeypatch):
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "1.png").touch()
    spec = spec or AdaptSpec("mine", "wbc4", find_cells_source(tmp_path)[1])
    (tmp_path / "given.json").write_text(spec.to_json())
    options = ("--n", 3) if kind == "trials" else ()
    assert run("jobs", "submit", tmp_path / "given.json", "--kind", kind, "--data", tmp_path, *options) == 0
    (job,) = list_jobs(open_database(load_settings().db_url))
    assert (job.kind, job.name, Path(job.data_dir)) == (kind, name, tmp_path)
    assert json.loads(spec.to_json()) == (job.spec["train"] if kind == "trials" else job.spec)
