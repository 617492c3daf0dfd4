"""Adapting a model on the Train page: the form, what it refuses beforehand, and before and after of a finished one."""

import json
import shutil
from dataclasses import replace

import pytest

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import store_groups
from bloodcell.datasets.catalog.library import list_datasets, read_images_table, register_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.review.corrections import add_correction
from bloodcell.review.tables import read_cells_table
from bloodcell.training.output.history import write_history
from bloodcell.training.specs.adapt_spec import REFUSAL_PREFIX, AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec
from tests.datasets.made import png
from tests.experiments.results.adapt_reports import write_report
from tests.pages.test_pages import texts, widget
from tests.pages.test_train_page import EPOCHS, at, keys, made, train
from tests.pages.tiny_model import CLASS_NAMES, SIDE_PX, write_tiny_model

pytestmark = pytest.mark.usefixtures("no_worker")
CELLS = 6  # of each class
REFUSED = f"{REFUSAL_PREFIX}: its balanced accuracy on 12 held-out cells is not higher than that of tiny."


@pytest.fixture
def tiny(model):
    """The tiny model, with the training and the network that it could be continued from."""
    return continuable(model)


def continuable(folder, **changes):
    training = TrainSpec("tiny", (SourceSpec("old cells", "old"),), height_px=SIDE_PX, width_px=SIDE_PX, context=1.2)
    training = replace(training, **changes)
    described = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps(described | {"training": json.loads(training.to_json())}))
    (folder / "model.keras").write_bytes(b"never opened here")
    return folder


def registered(queue, tmp_path, counts, name="Mine"):
    """A dataset of noise with so many images of each label."""
    folder = tmp_path / name
    for label, n in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(n):
            (folder / label / f"{number}.png").write_bytes(png(number))
    return register_dataset(name, folder, recognise_layout(folder).choice, queue.settings)


@pytest.fixture
def dataset(queue, tmp_path):
    return registered(queue, tmp_path, dict.fromkeys(CLASS_NAMES, CELLS))


def form(app):
    """The page with this way chosen."""
    at(app)
    widget(app.segmented_control, "train-how").set_value("Adapt a model").run()
    assert not app.exception
    return app


def spec_of_newest(queue):
    job = store.list_jobs(queue.db)[0]
    return job, AdaptSpec.from_json(json.dumps(job.spec))


def refusal(app):
    assert not app.exception
    assert widget(app.button, "train-go").disabled
    (error,) = app.error
    return error.value.replace("\\", "")


def test_without_cells_it_says_where_they_come_from(app, queue, tiny):
    assert "There are no labelled cells yet" in texts(form(app))
    assert "train-go" not in keys(app)


def test_one_click_queues_the_adaptation(app, queue, tiny, dataset):
    said = texts(form(app))
    assert "24 cells in all, 20 are needed. About 7 of them, from every class, are held out" in said
    (counts,) = [one.value for one in app.dataframe if "Cells" in one.value]
    assert counts.to_numpy().tolist() == [
        [word, CELLS] for word in ("Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
    ]
    train(app)
    job, spec = spec_of_newest(queue)
    cells = SourceSpec("Mine", dataset.id, layout="dataset", unlisted="skip")
    assert spec == AdaptSpec("tiny-mine", "tiny", cells)
    assert (job.kind, job.name, job.title) == ("adapt", "tiny-mine", "Adapt tiny: tiny-mine")
    assert (job.data_dir, app.query_params["job"]) == (str(queue.settings.home), str(job.id))


def test_what_can_be_set_enters_the_spec(app, queue, tiny, dataset, tmp_path):
    form(app)
    for name, value in (("epochs", 20), ("frozen_epochs", 4), ("images_per_epoch", 96), ("seed", 3)):
        widget(app.number_input, f"train-adapt-{name}").set_value(value).run()
    widget(app.number_input, "train-adapt-learning_rate").set_value(0.001).run()
    widget(app.slider, "train-adapt-held_share").set_value(0.5).run()
    widget(app.text_input, "train-adapt-old-tiny").set_value(str(tmp_path)).run()
    next(one for one in app.text_input if one.key.startswith("train-adapt-name")).set_value("ours").run()
    train(app)
    job, spec = spec_of_newest(queue)
    assert (spec.epochs, spec.frozen_epochs, spec.images_per_epoch, spec.seed) == (20, 4, 96, 3)
    assert (spec.learning_rate, spec.held_share, spec.old_data, job.name) == (0.001, 0.5, str(tmp_path), "ours")


def test_bad_settings_are_one_sentence(app, queue, tiny, dataset):
    form(app)
    widget(app.number_input, "train-adapt-frozen_epochs").set_value(16).run()
    assert "`frozen_epochs` must be above 0 and below `epochs`" in refusal(app)
    widget(app.number_input, "train-adapt-frozen_epochs").set_value(6).run()
    widget(app.number_input, "train-adapt-images_per_epoch").set_value(16).run()
    assert "`images_per_epoch` must be at least one batch (32)" in refusal(app)
    widget(app.number_input, "train-adapt-images_per_epoch").set_value(32).run()
    widget(app.text_input, "train-adapt-old-tiny").set_value("/nowhere").run()
    assert "There is no data folder /nowhere" in refusal(app)


def test_old_images_that_are_registered_need_no_folder(app, queue, model, dataset):
    continuable(model, sources=(SourceSpec("Mine", dataset.id, layout="dataset"),))
    form(app)
    widget(app.toggle, "train-adapt-old-tiny").set_value(True).run()
    train(app)
    assert spec_of_newest(queue)[1].old_data == str(queue.settings.home)


def test_old_images_that_are_gone_are_said_to_be(app, queue, model, dataset):
    continuable(model, sources=(SourceSpec("Gone", "gone-1", layout="dataset"),))
    assert "Train on the old images too: There is no dataset 'gone-1'" in texts(form(app)).replace("\\", "")
    assert not app.toggle


def test_too_few_cells_are_refused_before_the_job(app, queue, tiny, tmp_path):
    registered(queue, tmp_path, dict.fromkeys(CLASS_NAMES, 4))
    assert "Adapting needs at least 20 cells of the classes of tiny. Found: 16." in refusal(form(app))


def test_a_class_without_a_cell_is_refused_before_the_job(app, queue, tiny, tmp_path):
    registered(queue, tmp_path, {"EOSINOPHIL": 15, "MONOCYTE": 15})
    assert "There is no LYMPHOCYTE and no NEUTROPHIL among the cells to train on" in refusal(form(app))


def test_a_class_of_one_source_cell_is_warned_of(app, queue, tiny, dataset):
    files = read_images_table(dataset)["file"]
    store_groups(dataset, {file: file.split("/")[0] if file.startswith("MONO") else file for file in files}, "by name")
    form(app)
    assert "There is only one source cell of Monocyte" in app.warning[0].value
    (counts,) = [one.value for one in app.dataframe if "Cells" in one.value]
    assert counts["Source cells"].tolist() == [6, 6, 1, 6]
    train(app)
    assert spec_of_newest(queue)[1].cells.groups == "kept"


def test_labels_of_another_name_are_given_one_and_the_others_left_out(app, queue, tiny, tmp_path):
    counts = {"Eosinophil": 6, "Lymphocyte": 6, "Monocyte": 6, "1": 6, "*5*": 2}
    dataset = registered(queue, tmp_path, counts)
    form(app)
    assert "Left out, as the model does not have these classes: *5* (2), 1 (6)" in texts(app).replace("\\", "")
    named = [one for one in app.selectbox if one.key.startswith("train-adapt-label")]
    assert [one.label for one in named] == [r"\*5\*", "1"]
    named[1].set_value("NEUTROPHIL").run()
    assert "Left out, as the model does not have these classes: *5* (2)." in texts(app).replace("\\", "")
    train(app)
    cells = spec_of_newest(queue)[1].cells
    assert (cells.path, cells.labels, cells.unlisted) == (dataset.id, (("1", "NEUTROPHIL"),), "skip")


def test_a_model_that_cannot_be_continued_is_named_with_the_reason(app, queue, tiny, dataset, workspace):
    write_tiny_model(workspace / "runs" / "bare")
    shutil.copytree(tiny, workspace / "runs" / "served")
    (workspace / "runs" / "served" / "model.keras").unlink()
    said = texts(form(app)).replace("\\", "")
    assert "**bare**: The model bare does not say how it was trained" in said
    assert "**served**: The model folder served lacks model.keras" in said
    assert widget(app.selectbox, "train-adapt-model").options == ["tiny: Tiny test model"]


def test_without_a_model_to_continue_there_is_no_button(app, queue, model, dataset):
    assert "No model in the model library can be adapted" in texts(form(app))
    assert "train-go" not in keys(app)


def test_from_decided_cells_to_the_form(filled, queue, workspace, tiny):
    """The sample set's cells are decided on, made a dataset, and the link leads to that dataset and the batch's model."""
    write_tiny_model(workspace / "runs" / "another")
    continuable(workspace / "runs" / "another")
    registered(queue, workspace, {"A": 1, "B": 1}, "Another")
    for number, cell_id in enumerate(read_cells_table(queue.db, 1)["cell_id"]):
        add_correction(queue.db, int(cell_id), CLASS_NAMES[number % 4], "Ada")
    filled.session_state["classify-cell-set"] = True
    filled.run()
    widget(filled.button, "classify-make-cell-set").click().run()
    dataset = next(one for one in list_datasets(load_settings()) if one.name == "Sample set")
    (link,) = [one.proto for one in filled.get("page_link") if one.proto.label == "Adapt a model with these cells"]
    assert "train-how=Adapt+a+model" in link.query_string
    filled.query_params.clear()
    for pair in link.query_string.split("&"):
        name, value = pair.split("=")
        filled.query_params[name] = value.replace("+", " ").replace("%28", "(").replace("%29", ")").replace("%3A", ":")
    filled.switch_page("pages/train.py").run()
    assert not filled.exception
    assert widget(filled.selectbox, "train-adapt-model").value == "tiny"
    assert widget(filled.selectbox, "train-adapt-cells").value == dataset.id
    groups = next(one for one in filled.selectbox if one.key.startswith("train-groups"))
    assert groups.value == str(dataset.path / "cells.csv")
    assert groups.options[0] == "cells of one image stay together, as in the batch"


def ended(queue, status, error="", **changes):
    """An adaptation that ended with a comparison."""
    job = made(queue, "Adapt tiny: ours", status, kind="adapt", error=error, result="" if error else "tiny")
    folder = job_dir(queue.settings, job.id)
    write_report(folder, **changes)
    write_history(folder / "history.csv", EPOCHS)
    return job


def test_a_kept_model_is_compared_with_the_one_before(app, queue, model):
    at(app, ended(queue, store.DONE))
    metrics = {one.label: one.value for one in app.metric}
    assert metrics == {
        "Balanced accuracy before": "50.0 %",
        "Balanced accuracy after": "75.0 %",
        "Difference": "+25.0 points",
        "Held-out cells": "12",
    }
    said = texts(app).replace("\\", "")
    assert "95 % interval 30.0 to 70.0 %" in said
    assert "better on the held-out cells, and **the difference is more than chance explains**" in said
    assert "4 held-out cells are correct only after, 1 only before" in said
    assert "Trained on 30 cells, measured on 12 held-out cells (10 source cells)" in said
    assert "No cell was held out of: Monocyte" in said
    assert "those of the model before" in said
    assert "An interval of zero width" in said
    (metrics_table,) = [one.value for one in app.dataframe if "Before" in one.value]
    assert metrics_table.iloc[3].tolist() == ["Recall, Eosinophil", "50.0 % (0.0 to 100.0)", "100.0 % (100.0 to 100.0)"]
    assert metrics_table.iloc[4].tolist() == ["Recall, Monocyte", "-", "-"]
    assert len(app.get("plotly_chart")) == 3
    assert {one.proto.label for one in app.get("page_link")} == {"Classify with this model", "Model details"}


def test_a_difference_that_may_be_chance_is_said_to_be(app, queue, model):
    at(app, ended(queue, store.DONE, difference_interval=[-0.1, 0.4]))
    assert "**the difference may be chance**: its interval includes 0" in texts(app)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"difference": 0.0, "difference_interval": [0.0, 0.0]}, "Both models have the same balanced accuracy"),
        ({"difference": 0.0, "mended": 0, "spoiled": 0}, "Both are correct on the same cells"),
        (
            {"difference": -0.2, "difference_interval": [-0.4, 0.1]},
            "worse on the held-out cells, but **the difference may be",
        ),
        (
            {"difference": -0.2, "difference_interval": [-0.4, -0.1]},
            "worse on the held-out cells, and **the difference is more than",
        ),
    ],
)
def test_a_refused_model_shows_the_comparison_too(app, queue, model, changes, words):
    at(app, ended(queue, store.FAILED, REFUSED, is_better=False, **changes))
    said = app.warning[0].value
    assert "not better than small on the held-out cells, so it was not saved. small is unchanged" in said
    assert words in texts(app)
    assert not app.error
    assert "Not better" in texts(app)
    assert len(app.metric) == 4
    assert not keys(app) & {"train-resume", "train-retry"}
    assert "train-delete" in keys(app)


def test_one_that_failed_otherwise_has_no_comparison(app, queue, model):
    """An adapt.json of an earlier attempt is not shown."""
    at(app, ended(queue, store.FAILED, "The images are gone."))
    assert "The images are gone" in app.error[0].value
    assert not app.metric
    assert "train-resume" in keys(app)


@pytest.mark.parametrize("status", [store.DONE, store.FAILED])
def test_a_damaged_comparison_is_one_sentence(app, queue, model, status):
    job = ended(queue, status, REFUSED if status == store.FAILED else "")
    (job_dir(queue.settings, job.id) / "adapt.json").write_text('{"model": 3}')
    at(app, job)
    assert ["is damaged" in one.value for one in app.error] == [True]
    (job_dir(queue.settings, job.id) / "adapt.json").unlink()
    at(app, job)
    assert "cannot be read" in app.error[0].value
