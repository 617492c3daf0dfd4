import json
from dataclasses import replace

import keras
import pytest

from bloodcell.cli import main
from bloodcell.cli.shared import run_folder
from bloodcell.inference.engine import Engine
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, trained

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(SPEC.to_json())
    return path


def run(spec, data, out, *options):
    return main.main(["train", str(spec), "--data", str(data), "--out", str(out), *options])


def test_trains_a_model_and_the_same_again_from_the_same_seed(spec, tmp_path, tmp_path_factory, capsys):
    """The run of the session had the same spec and data, so its weights are the same."""
    data_dir, first = trained(tmp_path_factory)
    assert run(spec, data_dir, tmp_path / "run") == 0
    assert Engine(tmp_path / "run").class_names == SPEC.class_names
    assert f"model written to {tmp_path / 'run'}" in capsys.readouterr().err
    one, other = (keras.models.load_model(folder / "model.keras").get_weights() for folder in (first, tmp_path / "run"))
    for before, after in zip(one, other, strict=True):
        assert after == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "not valid JSON"),
        (json.dumps({"name": "x", "sources": [], "epoch": 1}), "Unknown settings ['epoch']"),
    ],
)
def test_a_spec_that_cannot_be_used(spec, tmp_path, capsys, text, message):
    spec.unlink()
    if text is not None:
        spec.write_text(text)
    assert run(spec, tmp_path, tmp_path / "run") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "run").exists()


def test_no_data_folder(spec, tmp_path, capsys):
    assert run(spec, tmp_path / "nowhere", tmp_path / "run") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: There is no data folder")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("is_file", [True, False])
def test_an_output_folder_with_something_in_it(spec, tmp_path, capsys, is_file):
    kept = tmp_path / "run" if is_file else tmp_path / "run" / "notes.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    assert run(spec, tmp_path, tmp_path / "run") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not empty. Choose a new one." in line
    assert kept.read_text() == "mine"


def test_data_without_the_source_leaves_nothing_half_made(spec, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    assert run(spec, tmp_path / "data", tmp_path / "run") == 1
    assert "error: There is no dataset at" in capsys.readouterr().err
    assert not list((tmp_path / "run").glob("*"))


def test_ctrl_c_keeps_the_finished_epochs_and_resume_goes_on(spec, tmp_path, tmp_path_factory, monkeypatch, capsys):
    data_dir, _ = trained(tmp_path_factory)
    spec.write_text(replace(SPEC, epochs=3).to_json())
    out = tmp_path / "mine"
    show = run_folder.TerminalProgress.on_batch

    def press_ctrl_c(terminal, progress):
        show(terminal, progress)
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_folder.TerminalProgress, "on_batch", press_ctrl_c)
        assert run(spec, data_dir, out) == 130
    assert "The finished epochs are kept: run the same command with --resume to continue." in capsys.readouterr().err
    assert not out.exists()
    assert run(spec, data_dir, out, "--resume") == 0
    told, bars = capsys.readouterr()
    assert "resumes after epoch 1 of 3" in told
    assert "epoch 3 of 3:" in bars
    assert [line.split(",")[1] for line in (out / "history.csv").read_text().splitlines()] == ["epoch", "1", "2", "3"]


def test_a_run_is_not_started_over_an_unfinished_one(spec, tmp_path, capsys):
    out = tmp_path / "mine"
    assert run(spec, tmp_path, out, "--resume") == 1
    assert "mine with a finished epoch to continue: leave out --resume" in capsys.readouterr().err
    checkpoint = tmp_path / ".mine.unfinished" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "fit-1.npz").touch()
    assert run(spec, tmp_path, out) == 1
    assert "mine was started before: continue it with --resume, or delete" in capsys.readouterr().err
