"""Trials, k-fold and search on the Train page: from the form and from files to jobs, under way, and their results."""

import json
import re
import shlex
import shutil
from dataclasses import replace

import pytest

from bloodcell.cli import main
from bloodcell.datasets.catalog.groups_and_splits import store_split
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.splits.split import split_holdout
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.jobs.kinds.table import find_kind, read_job_file
from bloodcell.training.output.history import write_history
from bloodcell.training.output.result_folder import write_table
from bloodcell.training.specs.search_spec import Choices, Range
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import TrialsSpec
from tests.experiments.results.result_folders import SEARCH, TITLED, result_folders
from tests.pages.test_pages import texts, widget
from tests.pages.test_train_page import LEARNING, at, keys, split_table, train
from tests.training.tiny_run import FOREIGN_WARNINGS, make_epoch, write_cells

pytestmark = [*FOREIGN_WARNINGS, pytest.mark.usefixtures("no_worker")]
TRIALS = TrialsSpec(TITLED, 3)


@pytest.fixture
def dataset(queue, tmp_path):
    folder = write_cells(tmp_path / "data") / "cells"
    return register_dataset("Drawn", folder, recognise_layout(folder).choice, queue.settings)


def form(app, kind, model=None):
    """The page with a kind of runs chosen."""
    at(app)
    if model is not None:
        widget(app.selectbox, "train-model").set_value(model).run()
    widget(app.selectbox, "train-runs").set_value(kind).run()
    assert not app.exception
    return app


def newest(queue):
    job = store.list_jobs(queue.db)[0]
    return job, read_job_file(json.dumps(job.spec))[1]


def refusal(app):
    assert not app.exception
    assert widget(app.button, "train-go").disabled
    (error,) = app.error
    return error.value.replace("\\", "")


def test_trials(app, dataset, queue):
    form(app, "trials")
    assert widget(app.number_input, "train-trials-n").value == 10
    widget(app.number_input, "train-trials-n").set_value(3).run()
    assert widget(app.button, "train-go").label == "Run trials"
    assert "3 runs of 15 epochs, 45 epochs in all." in texts(app)
    train(app)
    job, spec = newest(queue)
    base = TrainSpec.for_network("small", "drawn-small", (SourceSpec("Drawn", dataset.id, layout="dataset"),))
    assert spec == TrialsSpec(replace(base, title="Small residual net, trained on Drawn"), 3)
    assert (job.kind, job.name) == ("trials", "drawn-small-trials")
    assert job.title == "3 trials: Small residual net, trained on Drawn"
    assert app.query_params["job"] == str(job.id)


def test_k_fold_holds_every_part_out_whatever_is_chosen(app, dataset, queue):
    form(app, "kfold")
    widget(app.selectbox, "train-fold-5").set_value(-1).run()
    widget(app.selectbox, "train-small-keep").set_value("best").run()
    assert widget(app.button, "train-go").label == "Train all folds"
    assert "5 runs of 15 epochs, 75 epochs in all." in texts(app)
    train(app)
    job, spec = newest(queue)
    assert (job.kind, job.name, job.title) == (
        "kfold",
        "drawn-small-kfold",
        "5 folds: Small residual net, trained on Drawn",
    )
    assert (spec.fold, spec.folds, spec.keep) == (0, 5, "best")


def test_a_search_begins_with_good_bounds(app, dataset, queue):
    form(app, "search")
    assert "20 runs of 15 epochs, 300 epochs in all; fewer, as poor trials are pruned." in texts(app)
    train(app)
    job, spec = newest(queue)
    assert (job.kind, job.name) == ("search", "drawn-small-search")
    assert job.title == "Search, 20 trials: Small residual net, trained on Drawn"
    assert (spec.name, spec.base.name, spec.trials, spec.prune_after) == ("drawn-small", "drawn-small", 20, 2)
    assert dict(spec.space) == {
        "dropout": Range(0.0, 0.6),
        "learning_rate": Range(2e-4, 1e-2, log=True),
        "scaling": Choices(("-1..1", "channel", "global")),
        "batch_size": Choices((32, 64, 128)),
    }


def test_what_is_searched_can_be_chosen(app, dataset, queue):
    form(app, "search", "cnn")
    searched = widget(app.multiselect, "train-cnn-searched")
    assert "kernel_px" in searched.value
    searched.set_value(["kernel_px", "dropout", "stage_widths", "optimizer", "momentum"]).run()
    widget(app.multiselect, "train-cnn-search-kernel_px").set_value([3, 4]).run()
    widget(app.select_slider, "train-cnn-search-dropout").set_value((0.1, 0.3)).run()
    widget(app.text_input, "train-cnn-search-stage_widths").set_value("8, 16 16 16 16; 8 8 8 8 8").run()
    widget(app.number_input, "train-search-n").set_value(7).run()
    widget(app.number_input, "train-search-prune").set_value(4).run()
    train(app)
    _, spec = newest(queue)
    assert dict(spec.space) == {
        "kernel_px": Choices((3, 4)),
        "dropout": Range(0.1, 0.3),
        "stage_widths": Choices(((8, 16, 16, 16, 16), (8, 8, 8, 8, 8))),
        "optimizer": Choices(("adam", "sgd")),
        "momentum": Range(0.5, 0.98),
    }
    assert (spec.trials, spec.prune_after) == (7, 4)


def test_what_a_family_lacks_is_not_offered(app, dataset):
    form(app, "search", "vgg16")
    options = widget(app.multiselect, "train-vgg16-searched").options
    assert "Dropout" in options
    assert not {"Kernel size (px)", "Filters per stage"} & set(options)
    widget(app.selectbox, "train-model").set_value("resnet50_svm").run()
    assert widget(app.multiselect, "train-resnet50_svm-searched").options == ["Intensity scaling"]
    assert "20 runs; this model is trained in one step, without epochs." in texts(app)


@pytest.mark.parametrize("kind", ["trials", "search"])
def test_trials_hold_out_one_fold(app, dataset, kind):
    form(app, kind)
    widget(app.selectbox, "train-fold-5").set_value(-1).run()
    assert "one held-out fold, the same for all: choose which" in refusal(app)


@pytest.mark.parametrize(
    ("searched", "widgets", "key", "value", "said"),
    [
        ([], "", "", None, "must name one setting or more"),
        (
            ["dropout"],
            "select_slider",
            "dropout",
            (0.3, 0.3),
            "Dropout: `low` must be below `high`. Received: 0.3, 0.3",
        ),
        (["batch_size"], "multiselect", "batch_size", [], "Batch size: `choices` must be a list of one value"),
        (["momentum"], "", "", None, "'momentum' needs the optimizer 'sgd'. Received: ('adamw',)"),
        (["stage_widths"], "text_input", "stage_widths", "8, twelve", "`stage_widths` must be a whole number"),
    ],
)
def test_a_search_that_cannot_be(app, dataset, searched, widgets, key, value, said):
    form(app, "search")
    widget(app.multiselect, "train-small-searched").set_value(searched).run()
    if widgets:
        widget(getattr(app, widgets), f"train-small-search-{key}").set_value(value).run()
    assert said in refusal(app)


def test_k_fold_needs_a_split_with_folds(app, dataset):
    store_split(dataset, "honest", split_holdout(split_table(dataset), 0.3))
    form(app, "kfold")
    assert "k-fold needs a split with folds" in refusal(app)


def give(app, text, folder):
    at(app)
    widget(app.segmented_control, "train-how").set_value("From a file").run()
    widget(app.text_input, "train-spec-data").set_value(str(folder)).run()
    widget(app.file_uploader, "train-spec-file").set_value([("a.json", text.encode(), "")]).run()
    assert not app.exception


@pytest.mark.parametrize(("spec", "kind"), [(TRIALS, "trials"), (SEARCH, "search")])
def test_a_file_of_any_kind_is_known_by_what_it_holds(app, queue, tmp_path, spec, kind):
    give(app, spec.to_json(), tmp_path)
    assert "train-runs" not in {one.key for one in app.selectbox}
    train(app)
    job, found = newest(queue)
    assert (job.kind, found, job.data_dir) == (kind, spec, str(tmp_path))


@pytest.mark.parametrize(("kind", "expected"), [("kfold", TITLED), ("trials", TrialsSpec(TITLED, 10))])
def test_a_training_from_a_file_can_be_run_many_times(app, queue, tmp_path, kind, expected):
    give(app, TITLED.to_json(), tmp_path)
    assert "search" not in widget(app.selectbox, "train-runs").options
    widget(app.selectbox, "train-runs").set_value(kind).run()
    train(app)
    job, found = newest(queue)
    assert (job.kind, found) == (kind, expected)


@pytest.mark.parametrize("kind", ["train", "trials", "kfold", "search"])
def test_the_command_that_is_shown_queues_the_same(app, dataset, queue, kind, tmp_path, monkeypatch):
    form(app, kind)
    app.session_state["train-spec"] = True
    app.run()
    command, settings = [one.value for one in app.code]
    python, *words = shlex.split(command)
    assert (python, words[:2]) == ("python", ["-m", "bloodcell"])
    monkeypatch.chdir(tmp_path)
    (file,) = [word for word in words if word.endswith(".json")]
    (tmp_path / file).write_text(settings)
    assert main.main(words[2:]) == 0
    train(app)
    by_page, by_command = store.list_jobs(queue.db)
    for name in ("kind", "name", "title", "spec", "data_dir"):
        assert getattr(by_page, name) == getattr(by_command, name)


def job_in(queue, new, status=store.RUNNING, result="", progress=None):
    """A job that was started, brought to a status."""
    job = queue.submit(new)
    store.write_heartbeat(queue.db, job, progress or {})
    if status != store.RUNNING:
        store.end_attempt(queue.db, job, status, result=result)
    return store.get_job(queue.db, job.id)


def test_trials_under_way(app, queue, tmp_path):
    job = job_in(
        queue, find_kind("trials").make_job(TRIALS, tmp_path, "Ada"), progress=LEARNING | {"fit": 3, "fits": 3}
    )
    folder = job_dir(queue.settings, job.id)
    rows = [{"trial": n, "accuracy": n / 4, "converged": n == 1} for n in (1, 2)]
    write_table(folder / "trials.csv", rows)
    write_history(folder / "history.csv", [make_epoch(1, fit=fit) for fit in (1, 2)])
    said = texts(at(app, job)).replace("\\", "")
    assert "So far 2 trials, 1 converged, mean accuracy 37.5 %." in said
    assert "trial 3 of 3, epoch 2 of 4" in said
    metrics = {one.label: one.value for one in app.metric}
    assert metrics["Validation accuracy"] == "-"  # that of the trial before does not count
    assert len(app.get("plotly_chart")) == 2


def test_a_search_under_way_counts_pruned_trials(app, queue, tmp_path):
    job = job_in(
        queue, find_kind("search").make_job(SEARCH, tmp_path, "Ada"), progress=LEARNING | {"fit": 5, "fits": 20}
    )
    states = (("done", 0.5), ("given up", None), ("broken off", None), ("diverged", None), ("done", 0.7))
    rows = [{"trial": n, "state": state, "log_loss": loss} for n, (state, loss) in enumerate(states)]
    write_table(job_dir(queue.settings, job.id) / "trials.csv", rows)
    said = texts(at(app, job)).replace("\\", "")
    assert "So far 4 trials: 2 ran to the end, 1 pruned, 1 failed; best log loss 0.500." in said
    assert "trial 5 of 20, epoch 2 of 4" in said


def test_k_fold_under_way_and_at_its_end(app, queue, tmp_path):
    new = find_kind("kfold").make_job(TITLED, tmp_path, "Ada")
    job = job_in(queue, new, progress=LEARNING | {"fit": 2, "fits": 3})
    assert "fold 2 of 3, epoch 2 of 4" in texts(at(app, job)).replace("\\", "")
    store.write_heartbeat(queue.db, job, LEARNING | {"fit": 3, "fits": 3, "epoch": 4, "batch": 10})
    assert "Computing the metrics" in texts(at(app, job))


def test_the_folds_are_told_from_the_model_on_all(app, queue, tmp_path):
    new = find_kind("train").make_job(replace(TITLED, fold=-1), tmp_path, "Ada")
    job = job_in(queue, new, progress=LEARNING | {"fit": 3, "fits": 4})
    assert "fold 3 of 4" in texts(at(app, job)).replace("\\", "")
    store.write_heartbeat(queue.db, job, LEARNING | {"fit": 4, "fits": 4})
    assert "run 4 of 4" in texts(at(app, job)).replace("\\", "")


@pytest.fixture
def results(queue, tmp_path_factory):
    """Folders as the real runs write them, in the workspace's runs."""
    shutil.copytree(result_folders(tmp_path_factory), queue.settings.runs_dir)
    return queue.settings.runs_dir


def done(queue, kind):
    """A finished job whose result is the folder named as its kind."""
    spec = {"trials": TRIALS, "kfold": TITLED, "search": SEARCH}[kind]
    new = find_kind(kind).make_job(spec, queue.settings.home, "Ada")
    return job_in(queue, new, store.DONE, kind)


def tables(app):
    return [one.value for one in app.dataframe]


def test_the_result_of_trials(app, queue, results):
    at(app, done(queue, "trials"))
    assert {one.label: one.value for one in app.metric} == {"Converged": "2 of 3 trials"}
    said = texts(app).replace("\\", "")
    assert "at least 0.4375 (a quarter of the way from chance" in said
    assert "Measured on fold 1 of 3" in said
    spread, every = tables(app)
    assert spread.iloc[0].tolist() == ["Accuracy", "66.7 %", "57.7 %", "0.0 %", "100.0 %"]
    assert every["Converged"].tolist() == [True, True, False]
    assert len(app.get("plotly_chart")) == 1
    assert not app.error


def test_the_result_of_k_fold(app, queue, results):
    at(app, done(queue, "kfold"))
    metrics = {one.label: one.value for one in app.metric}
    assert re.fullmatch(r"66\.7 % \(\d+\.\d to \d+\.\d\)", metrics["Accuracy"])
    assert (metrics["Source cells"], metrics["Images"]) == ("24", "48")
    folds, more = tables(app)
    assert folds["Fold"].tolist() == [1, 2, 3]
    assert folds["Accuracy"].tolist() == [1.0, 1.0, 0.0]
    assert "Recall, Monocyte" in more.iloc[:, 0].tolist()
    assert len(app.get("plotly_chart")) == 1
    assert not app.error


def test_the_result_of_a_search_can_be_trained_with(app, queue, results):
    at(app, done(queue, "search"))
    said = texts(app).replace("\\", "")
    assert "The best settings: trial 2 of 4" in said
    assert "Monitored metric: log loss. 2 of 4 trials ran to the end." in said
    best, every = tables(app)
    assert best.to_numpy().tolist() == [
        ["Learning rate", "0.002"],
        ["Intensity scaling", "standardised per channel"],
    ]
    assert every["State"].tolist() == ["done", "done", "given up", "diverged"]
    assert len(app.get("plotly_chart")) == 3  # the course, and one for each setting
    assert [one.proto.label for one in app.get("download_button")] == ["Download"]
    widget(app.button, "train-with-best").click().run()
    assert not app.exception
    job, spec = newest(queue)
    assert (job.kind, job.name, job.title) == ("train", "drawn", "Drawn cells")
    assert spec == replace(TITLED, learning_rate=2e-3, scaling="channel")
    assert app.query_params["job"] == str(job.id)


@pytest.mark.parametrize("kind", ["trials", "kfold", "search"])
def test_a_leaky_split_is_told(app, queue, results, kind):
    file = results / kind / f"{kind}.json"
    found = json.loads(file.read_text())
    (found["validation"] if kind == "trials" else found)["leaky"] = ["cells"]
    file.write_text(json.dumps(found))
    at(app, done(queue, kind))
    assert (
        "The split of cells is leaky: copies of one cell may be in both training and held-out images"
        in app.error[0].value
    )


@pytest.mark.parametrize("kind", ["trials", "kfold", "search"])
def test_a_result_that_is_gone_or_damaged_is_one_sentence(app, queue, results, kind):
    job = done(queue, kind)
    file = results / kind / f"{kind}.json"
    file.write_text(file.read_text()[:-30])
    at(app, job)
    (error,) = app.error
    assert "is damaged" in error.value
    assert "train-delete" in keys(app)
    file.unlink()
    at(app, job)
    (error,) = app.error
    assert "cannot be read" in error.value


def test_best_settings_that_are_none_are_one_sentence(app, queue, results):
    (results / "search" / "spec.json").write_text('{"name": "x", "colour": 1}')
    at(app, done(queue, "search"))
    (error,) = app.error
    assert "Unknown settings" in error.value
