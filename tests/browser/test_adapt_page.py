"""Adapting a model in a real browser: a tiny model and drawn cells in, before and after out, and the refusal."""

import shutil

import pytest

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.db.database import open_database
from bloodcell.jobs.files import read_log
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.store import RUNNING, list_jobs
from bloodcell.training.specs.adapt_spec import REFUSAL_PREFIX
from tests.browser.driving import WAIT_MS, settle, watch
from tests.training.tiny_run import FOREIGN_WARNINGS, trained

pytestmark = [pytest.mark.browser, *FOREIGN_WARNINGS]

ADAPTED_MS = 300_000  # on a machine that is busy with other things
NOTHING_CHANGES = {  # at such a rate, and equal is not better
    "Epochs": "2",
    "Epochs with a frozen backbone": "1",
    "Learning rate": "0.000000001",
    "Learning rate with a frozen backbone": "0.000000001",
    "Images per epoch": "32",
}


@pytest.fixture
def queue(server, tmp_path_factory):
    """The jobs of the served workspace, with a model that was hardly trained and its cells registered."""
    data_dir, run_dir = trained(tmp_path_factory)
    settings = Settings(server.home, f"sqlite:///{server.home / 'bloodcell.db'}")
    shutil.copytree(run_dir, settings.runs_dir / "drawn")
    register_dataset("Mine", data_dir / "cells", recognise_layout(data_dir / "cells").choice, settings)
    queue = JobQueue(open_database(settings.db_url), settings)
    yield queue
    for job in list_jobs(queue.db, (RUNNING,)):
        queue.cancel(job.id)


def test_a_model_that_is_not_better_is_refused_with_the_comparison(server, chromium, queue):
    page = chromium.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    seen = watch(page, server)
    page.goto(f"{server.url}/train?train-how=Adapt+a+model&train-adapt-model=drawn%3A+drawn")
    page.get_by_text("48 cells in all, 20 are needed").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.get_by_role("combobox", name="Model to adapt").input_value() == "drawn: drawn"
    page.get_by_text("Training: share held out").click()
    for label, text in NOTHING_CHANGES.items():
        box = page.get_by_label(label, exact=True)
        box.fill(text)
        box.press("Enter")
        settle(page)
    page.get_by_role("button", name="Adapt", exact=True).click()
    page.wait_for_url("**job=1**", timeout=WAIT_MS)

    page.get_by_text("Balanced accuracy before").first.wait_for(timeout=ADAPTED_MS)
    settle(page)
    (job,) = list_jobs(queue.db)
    assert (job.status, job.error[: len(REFUSAL_PREFIX)]) == ("failed", REFUSAL_PREFIX), read_log(
        queue.settings, job.id
    )
    assert page.get_by_test_id("stMetricValue").nth(2).inner_text() == "0.0 points"
    page.locator(".js-plotly-plot", has_text="Recall of each class").wait_for(timeout=WAIT_MS)
    page.get_by_text("so it was not saved. drawn is unchanged").wait_for(timeout=WAIT_MS)
    assert not (queue.settings.runs_dir / "drawn-mine").exists()
    assert page.get_by_test_id("stAlertContentError").count() == 0
    # Streamlit asks below an address with a page's name before it asks at the root.
    assert [one for one in seen if "404" not in one] == []
    page.context.close()
