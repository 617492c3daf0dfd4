"""The work of the kind load: a zip in, a model in the library out; a hostile file leaves its reason and nothing else."""

import json
import os
import time

import pytest

from bloodcell.core.errors import ModelError, StoreError
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds.load import LOAD, RETENTION_DAYS, store_model_file
from bloodcell.jobs.store import add_job, claim_next
from bloodcell.jobs.task import Task
from bloodcell.model_import.load_spec import LoadSpec
from bloodcell.model_store.library import read_model
from bloodcell.model_store.model_zip import pack_model
from tests.pages.tiny_model import write_tiny_model


def task_of(db, settings, data):
    spec = LoadSpec("tiny", str(store_model_file(data, "My model.ZIP", settings)), "packed", "My model.ZIP")
    new = LOAD.make_job(spec, settings.home, "Ada")
    assert (new.kind, new.name, new.title) == ("load", "tiny", "Load My model.ZIP")
    add_job(db, new)
    job = claim_next(db, 9)
    job_dir(settings, job.id).mkdir(parents=True)
    return Task(job, settings, job_dir(settings, job.id))


@pytest.mark.keras
def test_a_zip_becomes_a_model_of_the_library(db, settings, tmp_path, capsys):
    folder = write_tiny_model(tmp_path / "source" / "tiny")
    task = task_of(db, settings, pack_model(folder))
    assert LOAD.run_job(task) == "tiny"
    assert read_model(settings.runs_dir / "tiny").sha256 == read_model(folder).sha256
    assert task.read_progress()["phase"] == "loading"
    assert task.read_progress()["step"] == "Trying it on drawn cells"
    assert "tried on" in capsys.readouterr().out
    assert not list(task.folder.iterdir())


@pytest.mark.keras
def test_a_hostile_file_leaves_its_reason_and_nothing_else(db, settings):
    task = task_of(db, settings, b"PK no zip")
    with pytest.raises(ModelError, match="This zip file cannot be imported as a model"):
        LOAD.run_job(task)
    assert not list(task.folder.iterdir())
    assert not settings.runs_dir.exists()


def test_a_file_is_kept_once_and_under_no_name_of_its_own(settings):
    first, second = (store_model_file(b"bytes", name, settings) for name in ("../a.keras", "b.keras"))
    assert first == second
    assert first.parent == settings.incoming_models_dir
    assert (first.suffix, first.read_bytes()) == (".keras", b"bytes")


def test_files_of_long_ago_go_when_the_next_one_comes(settings):
    old, fresh = store_model_file(b"old", "a.keras", settings), store_model_file(b"fresh", "a.keras", settings)
    os.utime(old, (then := time.time() - RETENTION_DAYS * 24 * 3600 - 60, then))
    store_model_file(b"next", "a.keras", settings)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_full_disk(settings, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bloodcell.jobs.kinds.load.write_atomic", full)
    with pytest.raises(StoreError, match="The model file cannot be stored: No space left on device"):
        store_model_file(b"bytes", "a.keras", settings)


def test_its_settings_fit_into_a_job(settings):
    spec = LoadSpec("net", "/a/net.keras", class_names=("A", "B"))
    assert LoadSpec.from_json(json.dumps(LOAD.make_job(spec, settings.home, "Ada").spec)) == spec
