"""The Train page in real browsers: one set, one click, live curves, a killed app, a model, and a cell that it classifies."""

import pytest

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.db.database import open_database
from bloodcell.experiments.results.trials import read_trials
from bloodcell.imaging.read import encode_png
from bloodcell.jobs.files import read_log
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import DONE, RUNNING, get_job, list_jobs
from bloodcell.review.batches import list_batches
from bloodcell.synthetic.gallery import draw_field
from tests.browser.driving import WAIT_MS, settle, watch
from tests.training.tiny_run import write_cells

pytestmark = pytest.mark.browser

TRAINED_MS = 300_000  # on a machine that is busy with other things
TINY = {  # section of the page -> what is typed there: half a minute, in which the app is killed and started again
    "Input: cell or whole image": {"Height (px)": "32", "Width (px)": "32"},
    "Class imbalance and unknown cells": {"Images per epoch": "320"},
    "Training: epochs": {"Epochs": "40", "Batch size": "16"},
    "Network and hardware": {"Filters per stage": "8, 12"},
}

QUICK = {  # where nothing has to be seen while it trains
    "Class imbalance and unknown cells": {"Images per epoch": "64"},
    "Training: epochs": {"Epochs": "2"},
    "Network and hardware": {"Filters per stage": "8"},
}


@pytest.fixture
def queue(server):
    """The jobs of the served workspace; what still runs at the end is stopped."""
    settings = Settings(server.home, f"sqlite:///{server.home / 'bloodcell.db'}")
    queue = JobQueue(open_database(settings.db_url), settings)
    yield queue
    for job in list_jobs(queue.db, (RUNNING,)):
        queue.cancel(job.id)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    yield context.new_page()
    context.close()


@pytest.fixture
def other(chromium):
    """A page of another browser: cookies and storage of its own."""
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    yield context.new_page()
    context.close()


def type_into(page, label, text):
    box = page.get_by_label(label, exact=True)
    box.fill(text)
    box.press("Enter")
    settle(page)


def test_from_a_folder_to_a_model_that_classifies(server, page, other, queue, tmp_path):
    """On the way two browsers follow the job, and the app is killed and started again."""
    seen = watch(page, server)
    page.goto(f"{server.url}/train")
    page.get_by_role("link", name="Add a dataset").click(timeout=WAIT_MS)
    type_into(page, "Folder or zip on this computer", str(write_cells(tmp_path / "data") / "cells"))
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("48 images, 4 classes").wait_for(timeout=WAIT_MS)
    settle(page)

    page.get_by_role("link", name="Train").click()
    page.get_by_role("button", name="Train", exact=True).wait_for(timeout=WAIT_MS)
    settle(page)
    for section, fields in TINY.items():
        page.get_by_text(section).click()
        for label, text in fields.items():
            type_into(page, label, text)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/train?job=1", timeout=WAIT_MS)

    pages = (page, other)
    address = page.url
    other.goto(address)
    for one in pages:
        one.get_by_role("button", name="Cancel").wait_for(timeout=WAIT_MS)
    for one in pages:
        one.goto("about:blank")  # a page that is open would rightly complain of the lost connection
    server.kill()
    (before,) = list_jobs(queue.db)
    server.start()
    job = get_job(queue.db, before.id)
    assert (before.status, job.status, job.pid, job.attempt) == (RUNNING, RUNNING, before.pid, 1)

    for one in pages:
        one.goto(address)
    for one in pages:
        one.get_by_role("button", name="Cancel").wait_for(timeout=WAIT_MS)
        one.locator(".js-plotly-plot").first.wait_for(timeout=TRAINED_MS)
    page.reload()
    for one in pages:
        one.locator(".js-plotly-plot").first.wait_for(timeout=WAIT_MS)
        one.get_by_text("is in the model library").wait_for(timeout=TRAINED_MS)
        settle(one)
    job = get_job(queue.db, before.id)
    assert (job.status, job.pid, job.attempt) == (DONE, before.pid, 1), read_log(queue.settings, job.id)
    assert page.get_by_role("button", name="Cancel").count() == 0

    page.get_by_role("link", name="Model details").click()
    page.get_by_role("heading", name="Small residual net, trained on cells").wait_for(timeout=WAIT_MS)
    page.wait_for_url(lambda url: f"models-choice={job.result}" in url, timeout=WAIT_MS)
    page.go_back()
    page.get_by_role("link", name="Classify with this model").click(timeout=WAIT_MS)
    page.get_by_text("Drop images here").wait_for(timeout=WAIT_MS)
    settle(page)
    cell = {"name": "new.png", "mimeType": "image/png", "buffer": encode_png(draw_field(999, n_white=1).rgb)}
    page.locator("input[type=file]").first.set_input_files(cell)
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    (batch,) = list_batches(queue.db)
    assert batch.model_name == job.result
    assert page.get_by_test_id("stAlertContentError").count() == 0
    # Streamlit asks below an address with a page's name before it asks at the root.
    assert [one for one in seen if "404" not in one] == []


def test_two_trials_by_mouse(server, page, queue, tmp_path):
    folder = write_cells(tmp_path / "data") / "cells"
    register_dataset("Drawn", folder, recognise_layout(folder).choice, queue.settings)
    seen = watch(page, server)
    page.goto(f"{server.url}/train")
    page.get_by_label("Repeats").click(timeout=WAIT_MS)
    page.get_by_role("option", name="Trials: the same settings").click()
    settle(page)
    type_into(page, "Number of trials", "2")
    for section, fields in QUICK.items():
        page.get_by_text(section).click()
        for label, text in fields.items():
            type_into(page, label, text)
    page.get_by_text("2 runs of 2 epochs, 4 epochs in all.").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Run trials").click()
    page.wait_for_url("**/train?job=1", timeout=WAIT_MS)

    page.get_by_text("of 2 trials", exact=False).wait_for(timeout=TRAINED_MS)
    page.get_by_text("A trial has converged if its final balanced accuracy").wait_for(timeout=WAIT_MS)
    page.locator(".js-plotly-plot").nth(2).wait_for(timeout=WAIT_MS)  # the trials' dots, and the curves
    settle(page)
    (job,) = list_jobs(queue.db)
    assert (job.kind, job.status) == ("trials", "done"), read_log(queue.settings, job.id)
    assert len(read_trials(queue.settings.runs_dir / job.result).trials) == 2
    assert page.get_by_test_id("stAlertContentError").count() == 0
    assert [one for one in seen if "404" not in one] == []
