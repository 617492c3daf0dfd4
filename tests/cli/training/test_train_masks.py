"""``train-masks`` on the command line, the job that does the same, and a model that hides the background by what came."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bloodcell.cli import main
from bloodcell.core.progress import Control
from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.inference.engine import Engine
from bloodcell.jobs.files import job_dir, read_history
from bloodcell.jobs.kinds.masks import MASKS
from bloodcell.jobs.store import NewJob, add_job, claim_next, list_jobs
from bloodcell.jobs.task import Task
from bloodcell.model_store.folder import MASK_FILE
from bloodcell.model_store.library import list_models
from bloodcell.model_store.mask_models import list_mask_models
from bloodcell.training.fitting.train import train
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.masks.mask_images import SOURCE, SPEC, spot, train_spots, write_spots
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
QUICK = replace(SPEC, epochs=1, limit=8)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))


def run(*args):
    return main.main([str(arg) for arg in args])


def test_from_images_to_a_folder_with_metrics(tmp_path, capsys):
    write_spots(tmp_path / "data", 8)
    (tmp_path / "spec.json").write_text(QUICK.to_json())
    where = ("--data", tmp_path / "data", "--out", tmp_path / "ws" / "runs" / "mine")
    assert run("train-masks", tmp_path / "spec.json", *where) == 0
    said = capsys.readouterr().err
    assert "on 2 held-out images" in said
    assert "compared with masks drawn by people" in said
    (model,) = list_mask_models(load_settings())
    assert (model.name, model.height_px, model.width_px) == ("mine", 32, 48)
    assert not list((tmp_path / "ws" / "runs").glob(".*"))
    assert run("train-masks", tmp_path / "spec.json", *where) == 1
    assert "is not empty. Choose a new one." in capsys.readouterr().err


def test_what_cannot_be_trained_is_one_line(tmp_path, capsys):
    (tmp_path / "spec.json").write_text('{"name": "n", "colour": 1, "source": {"name": "a", "path": "a"}}')
    where = ("--data", tmp_path, "--out", tmp_path / "out")
    assert run("train-masks", tmp_path / "spec.json", *where) == 1
    assert "Unknown settings ['colour']" in capsys.readouterr().err
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    assert run("train-masks", tmp_path / "spec.json", *where, "--resume") == 1
    assert "leave out --resume" in capsys.readouterr().err
    assert run("train-masks", tmp_path / "spec.json", *where) == 1
    assert "There is no dataset" in capsys.readouterr().err


def test_it_can_be_submitted(tmp_path, monkeypatch):
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)
    (tmp_path / "given.json").write_text(SPEC.to_json())
    assert run("jobs", "submit", tmp_path / "given.json", "--kind", "masks", "--data", tmp_path) == 0
    (job,) = list_jobs(open_database(load_settings().db_url))
    assert (job.kind, job.name, job.title, Path(job.data_dir)) == ("masks", "spots-unet", "spots-unet", tmp_path)
    assert job.spec == json.loads(SPEC.to_json())


def test_the_job_leaves_a_u_net_in_runs_and_its_history(tmp_path, db):
    data_dir, settings = write_spots(tmp_path / "data", 8), load_settings()
    add_job(db, NewJob("masks", "it", "it", json.loads(QUICK.to_json()), str(data_dir), "Ada"))
    job = claim_next(db, 9)
    folder = job_dir(settings, job.id)
    folder.mkdir(parents=True)
    task = Task(job, settings, folder)
    assert MASKS.run_job(task) == "it"
    assert (settings.runs_dir / "it" / MASK_FILE).is_file()
    (row,) = read_history(settings, job.id)
    assert {"val_dice", "val_iou", "val_accuracy", "loss", "rate"} <= row.keys()
    at = task.read_progress()
    assert (at["phase"], at["epoch"], at["batch"], at["batches"]) == ("learning", 1, 2, 2)
    assert at["last_epoch"]["val_dice"] == row["val_dice"]
    assert "it" not in [model.name for model in list_models(settings)]


def test_a_model_hides_the_background_by_it(tmp_path, tmp_path_factory):
    """Taught where what is no cell was black; asked the same, with the U-Net in its own folder."""
    data_dir, unet = train_spots(tmp_path_factory)
    spec = TrainSpec.for_network(
        "small",
        "masked",
        (replace(SOURCE, unlisted="skip"),),
        class_names=("A", "B"),
        input="image",
        height_px=32,
        width_px=48,
        stage_widths=(8,),
        mask="unet",
        mask_model=str(unet),
        unknown_share=0.0,
        epochs=1,
        images_per_epoch=16,
        batch_size=8,
        folds=2,
    )
    out = tmp_path / "masked"
    train(spec, data_dir, out, tmp_path / "cache", Control())
    assert (out / MASK_FILE).read_bytes() == (unet / MASK_FILE).read_bytes()
    engine = Engine(out)
    rgb, mask = spot(200)
    hidden = engine.framing.hide_background(rgb)
    assert (hidden[mask == 255] == rgb[mask == 255]).mean() > 0.9
    assert (hidden[:4] == 0).all()
    assert np.isclose(engine.classify(hidden[None, ::2, ::2]).probs.sum(), 1)
