"""A job's folder: its log read bit by bit, its history, and what is deleted when."""

import os
import time

from bloodcell.jobs.files import (
    delete_old_files,
    job_dir,
    make_job_dir,
    read_history,
    read_log,
    remove_checkpoint,
    remove_job_dir,
)


def test_a_log_is_read_by_whole_lines_from_where_one_was(settings):
    folder = make_job_dir(settings, 3, {"epochs": 2})
    assert read_log(settings, 3) == ("", 0)
    (folder / "log.txt").write_bytes("first\nsecond é\nthi".encode())
    text, at = read_log(settings, 3)
    assert text == "first\nsecond é\n"
    with (folder / "log.txt").open("ab") as stream:
        stream.write(b"rd\n\xff\n")
    assert read_log(settings, 3, at)[0] == "third\n\N{REPLACEMENT CHARACTER}\n"


def test_history_leaves_out_what_was_not_measured(settings):
    assert read_history(settings, 3) == []
    folder = make_job_dir(settings, 3, {})
    (folder / "history.csv").write_text("fit,epoch,loss,val_loss\n1,1,0.5,\n1,2,0.4,0.6\n")
    assert read_history(settings, 3) == [
        {"fit": 1, "epoch": 1, "loss": 0.5},
        {"fit": 1, "epoch": 2, "loss": 0.4, "val_loss": 0.6},
    ]


def test_starting_anew_forgets_the_epochs_and_deleting_all(settings):
    folder = make_job_dir(settings, 3, {"epochs": 2})
    (folder / "checkpoint").mkdir()
    for name in ("history.csv", "log.txt"):
        (folder / name).touch()
    remove_checkpoint(settings, 3)
    assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "spec.json"]
    remove_job_dir(settings, 3)
    remove_job_dir(settings, 3)
    assert not job_dir(settings, 3).exists()


def test_only_what_is_old_goes(tmp_path):
    old, new, lonely = tmp_path / "old", tmp_path / "new", tmp_path / "file"
    for folder in (old, new):
        folder.mkdir()
        (folder / "inside").write_text("x")
    lonely.write_text("x")
    for path in (old, lonely):
        os.utime(path, (then := time.time() - 91 * 24 * 3600, then))
    delete_old_files(tmp_path, 90)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
    delete_old_files(tmp_path / "missing", 90)
