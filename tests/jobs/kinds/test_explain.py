"""The kind "explain": asked for by a page, done by a real worker, kept, and not done twice."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import BloodcellError, ExplainError, ModelError, SpecError, StoppedError
from bloodcell.core.installation import TRAINING_PACKAGES
from bloodcell.explain.explanation import CROPS_FILE, GRADCAM, LAYERS, METHODS, OCCLUSION, hash_crops
from bloodcell.explain.spec import ExplainSpec
from bloodcell.jobs import explanations, store
from bloodcell.jobs.files import job_dir, read_log
from bloodcell.jobs.kinds.explain import EXPLAIN
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.task import Task
from bloodcell.model_store.library import get_model
from tests.explain.nucleus_net import SIDE_PX, cell, nucleus_model
from tests.inference.net import crops as plain_crops
from tests.inference.net import write_net
from tests.jobs.light_worker import wait_status
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


@pytest.fixture
def nucleus(settings, tmp_path_factory):
    """The model in the library of the workspace."""
    shutil.copytree(nucleus_model(tmp_path_factory), settings.runs_dir / "nucleus")
    return get_model("nucleus", settings)


@pytest.fixture
def own_queue(db, settings, monkeypatch):
    """A queue whose workers look into this workspace."""
    monkeypatch.setenv("BLOODCELL_HOME", str(settings.home))
    return JobQueue(db, settings)


@pytest.fixture
def waiting(own_queue, monkeypatch):
    """The same, with nobody to work."""
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)
    return own_queue


def claimed(queue):
    """The task of the job that waits or was just started."""
    job = store.claim_next(queue.db, 9) or store.list_jobs(queue.db)[0]
    return Task(job, queue.settings, job_dir(queue.settings, job.id))


@pytest.mark.keras
def test_a_real_worker_looks_inside(own_queue, nucleus):
    crops = cell()[None]
    spec = explanations.make_explain_spec(nucleus, crops, (GRADCAM, LAYERS))
    assert explanations.find_explanation(own_queue.settings, spec) is None
    job = explanations.submit_explanation(own_queue, spec, crops, "Ada")
    assert (job.kind, job.name, job.title) == ("explain", spec.key, "One cell: where nucleus looks")
    assert explanations.submit_explanation(own_queue, spec, crops, "Bea").id == job.id  # asked twice, done once
    ended = wait_status(own_queue, job.id, store.DONE, store.FAILED, timeout_s=120)
    assert (ended.status, ended.result) == (store.DONE, spec.key), read_log(own_queue.settings, job.id)[0]
    found = explanations.find_explanation(own_queue.settings, spec)
    assert found.gradcam.shape == (2, SIDE_PX, SIDE_PX)
    assert [layer.name for layer in found.layers] == ["dark", "pool"]
    assert found.occlusion is None
    explanations.delete_finished_jobs(own_queue, spec)
    assert explanations.find_job(own_queue, spec) is None
    assert explanations.find_explanation(own_queue.settings, spec) is not None


def test_a_mean_by_occlusion_needs_no_keras(waiting, settings):
    """Done in this process: progress is told cell by cell."""
    write_net(settings.runs_dir / "pixel", pixel=(16, 16))
    crops = plain_crops((204, 200, 200), (200, 204, 200))
    spec = explanations.make_explain_spec(get_model("pixel", settings), crops, (OCCLUSION,), "RED")
    explanations.submit_explanation(waiting, spec, crops, "Ada")
    task = claimed(waiting)
    assert task.job.title == "Mean of RED: where pixel looks"
    assert EXPLAIN.run_job(task) == spec.key
    assert task.read_progress()["done"] == task.read_progress()["total"] == 2
    found = explanations.find_explanation(settings, spec)
    assert (found.n_cells, found.of_class) == (2, "RED")
    assert found.occlusion[0].max() > 0


def test_a_model_that_cannot_be_looked_into_is_refused_at_once(waiting, settings):
    write_net(settings.runs_dir / "pixel")
    crops = plain_crops((1, 2, 3))
    spec = explanations.make_explain_spec(get_model("pixel", settings), crops, (GRADCAM,))
    with pytest.raises(ExplainError, match="Use an occlusion map instead"):
        explanations.submit_explanation(waiting, spec, crops, "Ada")
    assert store.list_jobs(waiting.db) == []


@pytest.mark.keras
def test_a_model_that_was_replaced_meanwhile(waiting, nucleus):
    spec = replace(explanations.make_explain_spec(nucleus, cell()[None], (GRADCAM,)), model_sha256="0" * 64)
    explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    with pytest.raises(ModelError, match="The model nucleus has changed since the explanation was asked for"):
        EXPLAIN.run_job(claimed(waiting))


@pytest.mark.keras
@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "are missing or damaged"), (b"PK", "or damaged"), (b"others", "are not those of this explanation")],
)
def test_crops_that_are_gone_or_others(waiting, nucleus, settings, data, message):
    spec = explanations.make_explain_spec(nucleus, cell()[None], (GRADCAM,))
    explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    path = settings.explanations_dir / spec.key / CROPS_FILE
    if data is None:
        path.unlink()
    elif data == b"others":
        np.savez(path, crops=cell(8)[None])
    else:
        path.write_bytes(data)
    with pytest.raises(ExplainError, match=message):
        EXPLAIN.run_job(claimed(waiting))


@pytest.mark.keras
def test_looking_inside_without_the_packages_ends_with_one_sentence(waiting, nucleus, hide_packages):
    spec = explanations.make_explain_spec(nucleus, cell()[None], (GRADCAM,))
    explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    hide_packages(*TRAINING_PACKAGES)
    with pytest.raises(
        BloodcellError, match=r"^Looking into a network needs more packages: pip install 'bloodcell\[train\]'"
    ):
        EXPLAIN.run_job(claimed(waiting))


@pytest.mark.keras
def test_one_that_is_cancelled_keeps_nothing(waiting, nucleus, settings):
    spec = explanations.make_explain_spec(nucleus, cell()[None], (OCCLUSION,))
    explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    task = claimed(waiting)
    task.stop()
    with pytest.raises(StoppedError, match="nothing was kept"):
        EXPLAIN.run_job(task)
    assert explanations.find_explanation(settings, spec) is None


@pytest.mark.keras
def test_one_that_failed_is_started_again(waiting, nucleus):
    spec = explanations.make_explain_spec(nucleus, cell()[None], (GRADCAM,))
    first = explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    store.end_attempt(waiting.db, store.get_job(waiting.db, first.id), store.FAILED, error="no room")
    explanations.submit_explanation(waiting, spec, cell()[None], "Ada")
    assert [job.status for job in store.list_jobs(waiting.db)] == [store.RUNNING]


def test_the_settings_come_back_and_the_key_tells_them_apart():
    spec = ExplainSpec("m", "a" * 64, "b" * 64, METHODS, "RED", "conv")
    assert ExplainSpec.from_json(spec.to_json()) == spec
    others = [
        replace(spec, **{name: "other"}) for name in ("model", "model_sha256", "crops_sha256", "of_class", "layer")
    ]
    keys = {one.key for one in (spec, *others, replace(spec, methods=(GRADCAM,)))}
    assert len(keys) == 7
    assert hash_crops(np.zeros((1, 2, 8, 3), np.uint8)) != hash_crops(np.zeros((1, 4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("methods", "allowed"), [([], "must be some of"), (["lime"], "must be some of"), ("gradcam", "must be a list")]
)
def test_methods_that_there_are_not(methods, allowed):
    text = json.dumps({"model": "m", "model_sha256": "", "crops_sha256": "", "methods": methods})
    with pytest.raises(SpecError, match=f"`methods` {allowed}"):
        ExplainSpec.from_json(text)
