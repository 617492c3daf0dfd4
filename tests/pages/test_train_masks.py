"""The Train page's way to a U-Net: asked for, refused in one sentence, followed, its result, and chosen for a model."""

# ruff: noqa: F811  fixtures of another file are imported by their names

import json

import numpy as np
import pytest

from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.catalog.source_spec import DATASET
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.jobs import store
from bloodcell.jobs.files import job_dir
from bloodcell.model_store.mask_models import EXAMPLES_FILE, Examples
from bloodcell.training.output.history import MASK_COLUMNS, write_history
from bloodcell.training.specs.masks_spec import MasksSpec
from bloodcell.ui.train.job_request import MASKS_WAY, WAY_KEY
from tests.model_store.test_mask_models import METRICS, put
from tests.pages.test_pages import texts, widget
from tests.pages.test_train_page import LEARNING, at, keys, made, running, spec_of_newest, train  # noqa: F401
from tests.training.masks.mask_images import write_spots
from tests.training.tiny_run import make_epoch

SCORE = {"mean": 0.912, "interval": [0.88, 0.94], "median": 0.92, "least": 0.71}
HELD = {
    "images": 4,
    "source_cells": 3,
    "against": "masks that people drew",
    "dice": SCORE,
    "iou": SCORE | {"mean": 0.84},
}


@pytest.fixture
def spots(queue, tmp_path):
    """Images of two classes with masks in the folder masks, registered."""
    folder = write_spots(tmp_path / "data", 8) / "spots"
    (folder / "masks").rename(tmp_path / "masks")  # else its folders might be the classes
    return register_dataset("Spots", folder, recognise_layout(folder).choice, queue.settings)


def asking(app):
    at(app)
    widget(app.segmented_control, WAY_KEY).set_value(MASKS_WAY).run()
    assert not app.exception
    return app


def drawn(app, dataset, folder):
    asking(app)
    widget(app.radio, f"train-masks-targets-{dataset.id}").set_value("drawn").run()
    widget(app.text_input, f"train-masks-folder-{dataset.id}").set_value(str(folder)).run()
    assert not app.exception


def spec_asked(queue):
    job = store.list_jobs(queue.db)[0]
    return job, MasksSpec.from_json(json.dumps(job.spec))


def test_without_a_dataset_it_is_said_where_to_add_one(app):
    asking(app)
    assert "no dataset to train on yet" in texts(app)
    assert "train-go" not in keys(app)


def test_one_click_queues_a_u_net_on_otsus_masks(app, spots, queue, running):
    asking(app)
    assert "also copies the errors of Otsu's threshold" in texts(app)
    train(app)
    job, spec = spec_asked(queue)
    assert (job.kind, job.status, job.name, job.title) == (
        "masks",
        store.QUEUED,
        "spots-unet",
        "U-Net, trained on Spots",
    )
    assert (spec.targets, spec.source.path, spec.source.layout) == ("otsu", spots.id, DATASET)
    assert spec == MasksSpec("spots-unet", spec.source, title=job.title)


def test_drawn_masks_and_what_else_is_asked_become_the_spec(app, spots, queue, running, tmp_path):
    drawn(app, spots, tmp_path / "masks")
    widget(app.text_input, f"train-masks-values-{spots.id}").set_value("128, 255").run()
    for name, value in (("height_px", 64), ("epochs", 5), ("limit", 6)):
        widget(app.number_input, f"train-masks-{name}").set_value(value).run()
    assert not app.error
    train(app)
    _, spec = spec_asked(queue)
    assert (spec.targets, spec.masks, spec.cell_values) == ("drawn", str(tmp_path / "masks"), (128, 255))
    assert (spec.height_px, spec.width_px, spec.epochs, spec.limit) == (64, 128, 5, 6)


def test_the_training_masks_are_shown(app, spots, tmp_path):
    drawn(app, spots, tmp_path / "masks")
    app.session_state["train-masks-examples"] = True
    app.run()
    assert not app.exception
    assert not app.error
    assert "8 of 8 images have a mask" in texts(app)
    assert "data:image/jpeg" in app.get("html")[0].proto.body


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        ("text_input", "train-masks-folder", "nowhere", "At least one image must have a mask in nowhere"),
        (
            "text_input",
            "train-masks-values",
            "cell",
            "An entry of `cell_values` must be a whole number. Received: 'cell'",
        ),
        ("number_input", "train-masks-height_px", 100, "must be a multiple of 8 from 32 to 640. Received: 100"),
        ("number_input", "train-masks-held_share", 0.0, "must be above 0 and at most 0.5. Received: 0.0"),
    ],
)
def test_bad_settings_are_one_sentence_and_no_click(app, spots, tmp_path, kind, key, value, said):
    drawn(app, spots, tmp_path / "masks")
    next(one for one in getattr(app, kind) if one.key.startswith(key)).set_value(value).run()
    assert not app.exception
    (error,) = app.error
    assert said in error.value.replace("\\", "")
    assert widget(app.button, "train-go").disabled


def test_a_running_one_shows_dice(app, queue, running):
    job = made(queue, "masks", store.CANCELLED, kind="masks")
    rows = [make_epoch(1, loss=0.5, accuracy=0.8, val_loss=0.4, val_dice=0.7, val_iou=0.6)]
    write_history(job_dir(queue.settings, job.id) / "history.csv", rows, MASK_COLUMNS)
    at(app, job)
    charts = [json.loads(one.proto.spec) for one in app.get("plotly_chart")]
    assert [trace["name"] for trace in charts[1]["data"]] == ["Dice", "IoU"]
    assert "1 finished epoch is saved" in texts(app).replace("\\", "")


def test_a_done_one_shows_its_metrics_and_images(app, queue):
    folder = put(queue.settings.runs_dir / "mine", metrics={"held_back": HELD})
    masks = np.zeros((4, 32, 48), bool)
    masks[:, 8:20, 10:30] = True
    names = [f"a/{number}.png" for number in range(4)]
    Examples(np.full((4, 32, 48, 3), 200, np.uint8), masks, ~masks, np.linspace(0.7, 1, 4), names).save(
        folder / EXAMPLES_FILE
    )
    at(app, made(queue, "masks", store.DONE, kind="masks", result="mine"))
    assert not app.error
    assert "The U-Net mine is trained" in app.success[0].value
    metrics = {one.label: (one.value, one.delta) for one in app.metric}
    assert metrics == {
        "Dice": ("0.912", "0.880 to 0.940"),
        "IoU": ("0.840", "0.880 to 0.940"),
        "Held-out images": ("4", "of 3 source cells"),
    }
    shown = app.get("html")[-1].proto.body
    assert shown.count("data:image/jpeg") == 8
    assert "U-Net: Dice 0.700" in shown


def test_a_result_that_was_deleted_is_one_sentence(app, queue):
    at(app, made(queue, "masks", store.DONE, kind="masks", result="gone"))
    assert "lacks mask.onnx" in app.error[0].value.replace("\\", "")


def test_a_model_chooses_among_the_trained_ones(app, spots, queue, running):
    put(queue.settings.runs_dir / "mine", metrics=METRICS)
    at(app)
    widget(app.selectbox, "train-small-mask").set_value("unet").run()
    choice = widget(app.selectbox, "train-small-mask-model-choice")
    assert choice.options == ["mine (Dice 0.900 on 4 held-out images)", "another folder on this computer"]
    train(app)
    _, spec = spec_of_newest(queue)
    assert (spec.mask, spec.mask_model) == ("unet", "runs/mine")


def test_without_any_it_leads_to_training_one_and_a_folder_can_be_typed(app, spots):
    at(app)
    widget(app.selectbox, "train-small-mask").set_value("unet").run()
    assert "No U-Net has been trained in this workspace yet" in texts(app)
    assert widget(app.button, "train-go").disabled  # no folder yet
    widget(app.text_input, "train-small-mask_model").set_value("/srv/unet").run()
    assert not widget(app.button, "train-go").disabled
    widget(app.button, "train-small-teach-masks").click().run()
    assert not app.exception
    assert widget(app.segmented_control, WAY_KEY).value == MASKS_WAY
    assert "A U-Net marks the pixels that belong to the cell" in texts(app)


def test_a_running_job_of_masks_has_its_words(app, queue, running):
    job = made(queue, "second", store.RUNNING, kind="masks", pid=running.pid)
    store.write_heartbeat(queue.db, job, LEARNING | {"last_epoch": {"epoch": 1, "val_dice": 0.81}})
    at(app, job)
    metrics = {one.label: one.value for one in app.metric}
    assert (metrics["Pixel accuracy"], metrics["Validation Dice"]) == ("87.5%", "0.810")
    store.write_heartbeat(queue.db, job, LEARNING | {"epoch": 4, "batch": 10})
    assert "Writing and checking the U-Net" in texts(at(app, job)).replace("\\", "")
