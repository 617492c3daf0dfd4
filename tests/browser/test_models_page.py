"""The Models page in a real browser: a network dropped, named and loaded; then it classifies and is looked into."""

import numpy as np
import pytest

from bloodcell.core.settings import Settings
from bloodcell.imaging.read import encode_jpeg
from bloodcell.inference.engine import Engine
from bloodcell.model_store.library import get_model
from tests.browser.driving import WAIT_MS, settle, watch
from tests.browser.test_main_job import drawn
from tests.places import MODELS

SHIPPED = MODELS / "wbc4"

pytestmark = pytest.mark.browser
CLASSES = "EOSINOPHIL, LYMPHOCYTE, MONOCYTE, NEUTROPHIL"
CROPS = np.random.default_rng(1).integers(0, 256, (6, 64, 64, 3), np.uint8)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1440, "height": 1500}, accept_downloads=True)
    yield context.new_page()
    context.close()


def choose_file(page, name, data):
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )
    settle(page)


def test_a_network_loaded_used_and_looked_into(server, page):
    seen = watch(page, server)
    page.goto(f"{server.url}/models")
    page.get_by_text("Load a model").click()
    settle(page)

    choose_file(page, "bad.keras", b"no archive")
    page.get_by_test_id("stAlertContentError").wait_for(timeout=WAIT_MS)
    assert "refused" in page.get_by_test_id("stAlertContentError").inner_text()

    page.get_by_role("button", name="Remove bad.keras").click()
    settle(page)
    choose_file(page, "my net.keras", (SHIPPED / "model.keras").read_bytes())
    page.get_by_text("Enter the class names").wait_for(timeout=WAIT_MS)
    names = page.get_by_role("textbox", name="Class names, in the order of the network's outputs")
    names.fill(CLASSES)
    names.press("Control+Enter")
    settle(page)
    page.get_by_role("button", name="Load", exact=True).click()
    page.get_by_text("The model my-net is in the model library.").wait_for(timeout=WAIT_MS)
    settings = Settings(server.home, f"sqlite:///{server.home / 'bloodcell.db'}")
    loaded, shipped = Engine(get_model("my-net", settings).folder), Engine(SHIPPED)
    assert np.array_equal(loaded.classify(CROPS).probs.argmax(axis=1), shipped.classify(CROPS).probs.argmax(axis=1))

    page.get_by_role("link", name="Classify with this model").click()
    page.get_by_text("Drop images").first.wait_for(timeout=WAIT_MS)
    settle(page)
    page.locator("input[type=file]").first.set_input_files(
        {"name": "field.jpg", "mimeType": "image/jpeg", "buffer": encode_jpeg(drawn(10))}
    )
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    page.get_by_text("Why this class?").click()
    page.get_by_text("Occlusion map").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Look inside the network").click()
    page.get_by_text("Layer by layer").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.get_by_test_id("stException").count() == 0
    assert [one for one in seen if "404" not in one] == []  # Streamlit asks below each page's address first
