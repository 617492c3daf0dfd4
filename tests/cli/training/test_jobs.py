"""``jobs`` on the command line, with jobs that no worker takes; tests/jobs/kinds/test_train.py has real ones."""

import io

import pytest

from bloodcell.cli import main
from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.store import DONE, FAILED, add_job, claim_next, end_attempt, list_jobs
from tests.jobs.light_worker import new_job
from tests.training.tiny_run import SPEC


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path))


@pytest.fixture
def database():
    return open_database(load_settings().db_url)


def run(*args):
    return main.main([str(arg) for arg in args])


def ended(database, status, **changes):
    job_id = add_job(database, new_job(kind="train", title="four cells"))
    end_attempt(database, claim_next(database, 9), status, **changes)
    return job_id


def test_the_list_says_what_each_job_came_to(database, capsys):
    ended(database, DONE, result="mine")
    ended(database, FAILED, error="The disk is full.")
    assert run("jobs") == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "id status title progress result",
        "2 failed four cells The disk is full.",
        "1 done four cells mine",
    ]


def test_log_and_follow_of_a_job_that_is_over(database, capsys):
    job_id = ended(database, FAILED, error="The disk is full.")
    folder = job_dir(load_settings(), job_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("epoch 1\n")
    assert run("jobs", "log", job_id) == 0
    assert capsys.readouterr().out == "epoch 1\n"
    assert run("jobs", "follow", job_id) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("epoch 1\n", "job 1: failed The disk is full.\n")


def test_deleting_asks_unless_told_not_to(database, capsys, monkeypatch):
    first, second = ended(database, DONE), ended(database, DONE)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert run("jobs", "delete", first) == 1
    assert "Delete job 1 (four cells, done) with its log and checkpoint? [y/N]" in capsys.readouterr().err
    assert len(list_jobs(database)) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run("jobs", "delete", first) == 0
    assert run("jobs", "delete", second, "--yes") == 0
    assert list_jobs(database) == []


@pytest.mark.parametrize("action", ["cancel", "resume", "retry", "delete", "log", "follow"])
def test_a_job_that_is_not_there(action, capsys):
    assert run("jobs", action, 7) == 1
    assert capsys.readouterr().err == "error: There is no job 7.\n"


def test_submitting_needs_a_spec_and_data(tmp_path, capsys):
    assert run("jobs", "submit", tmp_path / "none.json", "--data", tmp_path) == 1
    assert "none.json cannot be read" in capsys.readouterr().err
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    assert run("jobs", "submit", tmp_path / "spec.json", "--data", tmp_path / "none") == 1
    assert "There is no data folder" in capsys.readouterr().err
    assert list_jobs(open_database(load_settings().db_url)) == []


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_a_number_of_jobs_that_is_none(number, monkeypatch, capsys):
    monkeypatch.setenv("BLOODCELL_JOBS", number)
    assert run("jobs") == 1
    assert f"BLOODCELL_JOBS must be a whole number of 1 or more. Received: '{number}'" in capsys.readouterr().err
