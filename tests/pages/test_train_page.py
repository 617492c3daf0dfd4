"""The Train page: empty, from the form to a job, bad settings, a spec from a file, and a job in every state."""

import json
import subprocess
import sys

import pytest

from bloodcell.datasets.catalog.groups_and_splits import store_groups, store_split
from bloodcell.datasets.catalog.library import read_images_table, register_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.splits.split import split_holdout, split_into_folds
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir, make_job_dir
from bloodcell.jobs.processes import find_process
from bloodcell.jobs.runners.local import get_host_name
from bloodcell.training.output.history import write_history
from bloodcell.training.specs.train_spec import TrainSpec
from tests.jobs.light_worker import wait_for
from tests.pages.test_pages import texts, widget
from tests.training.tiny_run import make_epoch, write_cells

LEARNING = {"phase": "learning", "fit": 1, "fits": 1, "epoch": 2, "epochs": 4, "batch": 5, "batches": 10}
LEARNING |= {"images": 160, "loss": 0.4321, "accuracy": 0.875, "images_per_s": 321.0, "seconds_left": 75.0}
LEARNING |= {"memory_mb": 812, "last_epoch": {"epoch": 1, "val_accuracy": 0.75}}
EPOCHS = [make_epoch(epoch, val_loss=1.1) for epoch in (1, 2)]


@pytest.fixture
def dataset(queue, tmp_path):
    """Two photographs each of six drawn cells of four classes, registered."""
    folder = write_cells(tmp_path / "data") / "cells"
    return register_dataset("Drawn: cells/1", folder, recognise_layout(folder).choice, queue.settings)


@pytest.fixture
def running(request, queue):
    """A job, of training or the kind that the test asks for, whose process does nothing: all others wait behind it."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    job = made(queue, "the first", store.RUNNING, kind=getattr(request, "param", "train"), pid=sleeper.pid)
    yield job
    sleeper.kill()
    sleeper.wait()


def made(queue, title, status, *, kind="train", pid=None, error="", result="", progress=None):
    """A job with its row in the database, brought to a status."""
    spec = TrainSpec("net", (SourceSpec("cells", "cells"),))
    new = store.NewJob(kind, title, "net", json.loads(spec.to_json()), str(queue.settings.home), "Ada")
    job_id = store.add_job(queue.db, new)
    make_job_dir(queue.settings, job_id, new.spec)
    if status == store.QUEUED:
        return store.get_job(queue.db, job_id)
    job = store.claim_next(queue.db, 99)
    if pid is not None:
        store.register_process(queue.db, job, get_host_name(), pid, find_process(pid).created)
    store.write_heartbeat(queue.db, job, progress or {})
    if status != store.RUNNING:
        store.end_attempt(queue.db, job, status, error, result)
    return store.get_job(queue.db, job_id)


def at(app, job=None):
    """The page, with a job in the address or none."""
    app.run().switch_page("pages/train.py")
    if job is not None:
        app.query_params["job"] = str(job.id)
    app.run()
    assert not app.exception
    return app


def train(app):
    widget(app.button, "train-go").click().run()
    assert not app.exception


def keys(app):
    return {one.key for one in app.button}


def spec_of_newest(queue):
    job = store.list_jobs(queue.db)[0]
    return job, TrainSpec.from_json(json.dumps(job.spec))


def test_the_empty_page_says_where_to_add_a_dataset(app):
    at(app)
    assert "no dataset to train on yet" in texts(app)
    assert "train-go" not in keys(app)


def test_one_click_queues_the_small_net_on_found_cells(app, dataset, queue, running):
    at(app)
    assert "Bloodcell searches for duplicates first" in texts(app)
    train(app)
    job, spec = spec_of_newest(queue)
    assert (job.status, job.name, job.title) == (
        store.QUEUED,
        "drawn-cells-1-small",
        "Small residual net, trained on Drawn: cells/1",
    )
    source = SourceSpec("Drawn- cells-1", dataset.id, layout="dataset")
    expected = TrainSpec.for_network("small", job.name, (source,), title=job.title)
    assert spec == expected
    assert app.query_params["job"] == str(job.id)
    assert "Waiting for the training jobs before it" in texts(app)


def test_the_form_follows_the_family_and_its_fields_become_the_spec(app, dataset, queue, running):
    at(app)
    widget(app.selectbox, "train-model").set_value("vgg16").run()
    assert widget(app.number_input, "train-vgg16-height_px").value == 224
    widget(app.radio, "train-vgg16-start").set_value("imagenet").run()
    for name, value in (("epochs", 40), ("frozen_epochs", 5), ("patience", 7)):
        widget(app.number_input, f"train-vgg16-{name}").set_value(value).run()
    widget(app.selectbox, "train-vgg16-keep").set_value("best").run()
    widget(app.selectbox, "train-vgg16-class_sampling").set_value("equal parts").run()
    widget(app.number_input, "train-vgg16-images_per_epoch").set_value(640).run()
    widget(app.slider, "train-vgg16-turn_deg").set_value(90).run()
    widget(app.toggle, "train-vgg16-deterministic").set_value(True).run()
    widget(app.selectbox, "train-fold-5").set_value(2).run()
    train(app)
    _, spec = spec_of_newest(queue)
    assert (spec.model, spec.input, spec.scaling, spec.weights) == ("vgg16", "image", "imagenet caffe", "imagenet")
    assert (spec.epochs, spec.frozen_epochs, spec.patience, spec.keep) == (40, 5, 7, "best")
    assert (spec.class_sampling, spec.images_per_epoch, spec.unknown_share) == ("equal parts", 640, 0)
    assert (spec.augment.turn_deg, spec.deterministic, spec.fold) == (90, True, 2)


def test_every_family_gives_a_spec_that_can_be_trained(app, dataset):
    at(app)
    for family in widget(app.selectbox, "train-model").options:
        widget(app.selectbox, "train-model").set_value(family).run()
        assert not app.exception
        assert not app.error, family
        assert not widget(app.button, "train-go").disabled


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        ("number_input", "train-small-height_px", 16, "must be from 32 to 640. Received: 16"),
        ("number_input", "train-small-learning_rate", 1.0, "must be between 0 and 1. Received: 1.0"),
        ("text_input", "train-small-stage_widths", "8 twelve", "`stage_widths` must be a whole number"),
        ("number_input", "train-small-images_per_epoch", 3, "must be at least one batch (64)"),
        ("multiselect", "train-classes", ["MONOCYTE"], "needs two classes or more"),
    ],
)
def test_bad_settings_are_one_sentence_and_no_click(app, dataset, kind, key, value, said):
    at(app)
    next(one for one in getattr(app, kind) if one.key.startswith(key)).set_value(value).run()
    assert not app.exception
    (error,) = app.error
    assert said in error.value.replace("\\", "")
    assert widget(app.button, "train-go").disabled


def test_too_few_stages_for_the_chosen_network(app, dataset):
    at(app)
    widget(app.selectbox, "train-model").set_value("fcn").run()
    widget(app.text_input, "train-fcn-stage_widths").set_value("8").run()
    assert "must name 2 stages or more" in app.error[0].value.replace("\\", "")
    assert widget(app.button, "train-go").disabled


def test_a_file_of_weights_must_be_named(app, dataset):
    at(app)
    widget(app.selectbox, "train-model").set_value("vgg16").run()
    widget(app.radio, "train-vgg16-start").set_value("file").run()
    assert "path of a file" in app.error[0].value
    assert widget(app.button, "train-go").disabled


def test_a_name_that_cannot_be_is_said_at_the_click(app, dataset, queue):
    at(app)
    next(one for one in app.text_input if one.key.startswith("train-name")).set_value("../up").run()
    train(app)
    assert "must start with a letter or digit" in app.error[0].value
    assert store.list_jobs(queue.db) == []


def split_table(dataset):
    table = read_images_table(dataset)[["file", "label"]]
    return table.assign(group=table["file"].str.replace(r"-\d\.png", "", regex=True))


def test_kept_groups_and_splits_enter_the_spec(app, dataset, queue, running):
    table = split_table(dataset)
    store_groups(dataset, dict(zip(table["file"], table["group"], strict=True)), "by name")
    store_split(dataset, "three folds", split_into_folds(table, 3))
    at(app)
    assert "24 source cells" in texts(app)
    widget(app.selectbox, "train-fold-3").set_value(-1).run()
    train(app)
    _, spec = spec_of_newest(queue)
    assert (spec.sources[0].split, spec.sources[0].groups, spec.folds, spec.fold) == ("three-folds", "kept", 3, -1)


def test_a_hold_out_split_has_one_set_to_hold_out_and_leaky_ones_are_marked(app, dataset, queue, running):
    table = split_table(dataset)
    store_split(dataset, "b honest", split_holdout(table, 0.3, test_share=0.2))
    store_split(dataset, "a random", split_holdout(table, 0.3, leaky=True))
    at(app)
    split = widget(app.selectbox, f"train-split-{dataset.id}")
    assert split.options == ["b-honest", "a-random (leaky)", "new, created when training starts"]
    assert not app.error
    train(app)
    _, spec = spec_of_newest(queue)
    assert (spec.sources[0].split, spec.sources[0].groups, spec.fold) == ("b-honest", "pixels", 0)
    widget(app.button, "train-new").click().run()
    widget(app.selectbox, f"train-split-{dataset.id}").set_value("a-random").run()
    assert "leaky: copies of one cell may be in both training and held-out images" in app.error[0].value


def test_a_split_without_a_set_to_hold_out_cannot_be_trained_with(app, dataset):
    split = split_holdout(split_table(dataset), 0.3)
    store_split(dataset, "odd", type(split)(split.table.assign(split="train")))
    at(app)
    assert "needs folds, or the sets train and validation" in app.error[0].value
    assert "train-go" not in keys(app)


def test_fewer_classes_ask_what_becomes_of_the_others(app, dataset, queue, running):
    at(app)
    widget(app.multiselect, f"train-classes-{dataset.fingerprint}").set_value(["MONOCYTE", "EOSINOPHIL"]).run()
    widget(app.radio, "train-unlisted").set_value("skip").run()
    train(app)
    _, spec = spec_of_newest(queue)
    assert (spec.class_names, spec.sources[0].unlisted) == (("EOSINOPHIL", "MONOCYTE"), "skip")


def test_changed_images_must_be_rescanned_first(app, dataset):
    next(dataset.path.glob("*/*.png")).unlink()
    at(app)
    assert "removed\\: 1" in app.error[0].value
    assert "train-go" not in keys(app)


def test_augmented_examples_are_made_as_training_makes_them(app, dataset):
    at(app)
    app.session_state["train-variation"] = True
    app.run()
    assert not app.exception
    assert not app.error
    assert sum("data:image/jpeg" in one.proto.body for one in app.get("html")) == 1


def test_a_spec_from_a_file_runs_the_same(app, dataset, queue, running, tmp_path):
    given = TrainSpec("given", (SourceSpec("cells", "cells"),), epochs=3, title="From elsewhere")
    at(app)
    widget(app.segmented_control, "train-how").set_value("From a file").run()
    assert "train-go" not in keys(app)
    widget(app.text_input, "train-spec-data").set_value(str(tmp_path / "data")).run()
    widget(app.file_uploader, "train-spec-file").set_value([("a.json", given.to_json().encode(), "")]).run()
    train(app)
    job, spec = spec_of_newest(queue)
    assert (spec, job.title, job.data_dir) == (given, "From elsewhere", str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("data", "folder", "said"),
    [
        (b'{"name": "x", "colour": 1}', "", "Unknown settings"),
        (b"\xff\xfe", "", "must be text in UTF-8"),
        (b" " * 1_000_001, "", "at most 1,000,000 bytes"),
        (TrainSpec("x", (SourceSpec("a", "a"),)).to_json().encode(), "/nowhere", "There is no data folder"),
    ],
)
def test_a_file_that_is_no_spec_is_one_sentence(app, dataset, data, folder, said):
    at(app)
    widget(app.segmented_control, "train-how").set_value("From a file").run()
    widget(app.text_input, "train-spec-data").set_value(folder).run()
    widget(app.file_uploader, "train-spec-file").set_value([("a.json", data, "")]).run()
    assert not app.exception
    assert said in app.error[0].value.replace("\\", "")
    assert widget(app.button, "train-go").disabled


def test_a_running_job_shows_where_it_stands_and_can_be_cancelled(app, queue, running):
    store.write_heartbeat(queue.db, running, LEARNING)
    write_history(job_dir(queue.settings, running.id) / "history.csv", EPOCHS[:1])
    at(app, running)
    metrics = {one.label: one.value for one in app.metric}
    assert (metrics["Loss"], metrics["Training accuracy"], metrics["Validation accuracy"]) == (
        "0.432",
        "87.5%",
        "75.0%",
    )
    assert (metrics["Time left"], metrics["Images per second"], metrics["Memory"]) == ("1 min 15 s", "321", "812 MB")
    assert "epoch 2 of 4, batch 5 of 10" in texts(app)
    assert len(app.get("plotly_chart")) == 2
    widget(app.button, "train-cancel").click().run()
    assert widget(app.button, "train-cancel").disabled or store.get_job(queue.db, running.id).is_over
    wait_for(lambda: (queue.dispatch(), store.get_job(queue.db, running.id).status)[1] == store.CANCELLED, "its end")


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({}, "Loading the training library"),
        ({"phase": "reading", "source": "cells", "done": 3, "total": 48}, "Reading images, cells: 3 of 48"),
        (LEARNING | {"epoch": 4, "batch": 10}, "writing and checking the model"),
        (LEARNING | {"fits": 6}, "run 1 of 6, epoch 2 of 4"),
    ],
)
def test_every_phase_has_words(app, queue, running, progress, said):
    store.write_heartbeat(queue.db, running, progress)
    assert said in texts(at(app, running)).replace("\\", "")


def test_a_failed_job_shows_its_reason_and_is_tried_again(app, queue):
    failed = made(queue, "second", store.FAILED, error="The images of *cells* are gone.")
    at(app, failed)
    assert "The images of \\*cells\\* are gone" in app.error[0].value
    assert {"train-retry", "train-delete"} <= keys(app)
    assert not keys(app) & {"train-resume", "train-cancel"}


@pytest.mark.parametrize("status", [store.CANCELLED, store.INTERRUPTED, store.FAILED])
def test_finished_epochs_can_be_resumed(app, queue, running, status):
    job = made(queue, "second", status, error="why", progress=LEARNING)
    write_history(job_dir(queue.settings, job.id) / "history.csv", EPOCHS)
    at(app, job)
    said = texts(app)
    assert "2 finished epochs are saved" in said.replace("\\", "")
    assert len(app.get("plotly_chart")) == 2
    widget(app.button, "train-resume").click().run()
    assert not app.exception
    assert store.get_job(queue.db, job.id).status == store.QUEUED
    assert (job_dir(queue.settings, job.id) / "history.csv").exists()


def test_a_restart_deletes_the_epochs(app, queue, running):
    job = made(queue, "second", store.CANCELLED, progress=LEARNING)
    write_history(job_dir(queue.settings, job.id) / "history.csv", EPOCHS)
    at(app, job)
    assert "Deletes 2 finished epochs with the curves" in texts(app)
    widget(app.button, "train-retry").click().run()
    assert store.get_job(queue.db, job.id).status == store.QUEUED
    assert not (job_dir(queue.settings, job.id) / "history.csv").exists()


def test_a_done_job_leads_to_its_model(app, queue, model):
    at(app, made(queue, "second", store.DONE, result="tiny"))
    assert "The model tiny is in the model library" in app.success[0].value
    links = {one.proto.label: one.proto.query_string for one in app.get("page_link")}
    assert links == {
        "Classify with this model": "batch=&classify-model=tiny%3A+Tiny+test+model",
        "Model details": "models-choice=tiny",
    }


def test_a_done_job_of_metrics_names_their_folder(app, queue):
    job = made(queue, "second", store.DONE, result="net-trials", kind="trials")
    at(app, job)
    assert "runs/net" in app.success[0].value.replace("\\", "")
    assert not app.get("page_link")


def test_a_waiting_job_can_be_cancelled(app, queue, running):
    waiting = made(queue, "second", store.QUEUED)
    at(app, waiting)
    widget(app.button, "train-cancel").click().run()
    assert store.get_job(queue.db, waiting.id).status == store.CANCELLED


def test_deleting_forgets_the_job_and_goes_back(app, queue):
    job = made(queue, "second", store.CANCELLED)
    at(app, job)
    assert "Deletes the log, the curves and the saved epochs" in texts(app)
    widget(app.button, "train-delete").click().run()
    assert not app.exception
    assert store.list_jobs(queue.db) == []
    assert "job" not in app.query_params


def test_the_list_has_every_job_and_opens_one(app, queue, running):
    jobs = [made(queue, f"number {number}", store.CANCELLED) for number in range(10)]
    at(app)
    assert f"train-open-{jobs[-1].id}" in keys(app)
    assert f"train-open-{jobs[0].id}" not in keys(app)
    widget(app.toggle, "train-all-jobs").set_value(True).run()
    widget(app.button, f"train-open-{jobs[0].id}").click().run()
    assert not app.exception
    assert app.query_params["job"] == str(jobs[0].id)
    assert "#### number 0" in texts(app)


def test_a_job_that_is_gone_is_one_sentence(app, queue):
    made(queue, "first", store.CANCELLED)
    app.run().switch_page("pages/train.py")
    app.query_params["job"] = "77"
    app.run()
    assert not app.exception
    assert "There is no job 77" in app.error[0].value
