"""``train`` on the command line: stopped by Ctrl-C in its second epoch, then gone on with."""

from dataclasses import replace

import pytest

from bloodcell import cli
from bloodcell.commands import train
from bloodcell.runs.folder import read_model
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC, trained

pytestmark = FOREIGN_WARNINGS


def test_ctrl_c_keeps_the_finished_epochs_and_resume_goes_on(tmp_path_factory, tmp_path, monkeypatch, capsys):
    data_dir, _ = trained(tmp_path_factory)
    (tmp_path / "spec.json").write_text(replace(SPEC, epochs=3).to_json())
    out = tmp_path / "mine"
    command = [str(part) for part in ("train", tmp_path / "spec.json", "--data", data_dir, "--out", out)]
    show = train._Terminal.progress

    def press_ctrl_c(terminal, at):
        show(terminal, at)
        if at.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train._Terminal, "progress", press_ctrl_c)
        assert cli.main(command) == 130
    assert "The finished epochs are kept: the same command with --resume goes on." in capsys.readouterr().err
    assert not out.exists()
    assert cli.main([*command, "--resume"]) == 0
    told, bars = capsys.readouterr()
    assert "goes on after epoch 1 of 3" in told
    assert "epoch 3 of 3: 100%" in bars
    assert f"model written to {out}" in bars
    assert [line.split(",")[1] for line in (out / "history.csv").read_text().splitlines()] == ["epoch", "1", "2", "3"]
    assert read_model(out).name == "mine"


@pytest.mark.parametrize("folder", ["there", "file"])
def test_an_output_that_is_taken(folder, tmp_path, capsys):
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    (tmp_path / "file").touch()
    command = ("train", tmp_path / "spec.json", "--data", tmp_path, "--out", tmp_path / folder)
    assert cli.main([str(part) for part in command]) == 1
    assert "is not empty: name a new one" in capsys.readouterr().err
