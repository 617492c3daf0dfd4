"""Evaluate and Compare in a real browser: a job asked for by mouse, a click into the matrix, a marked label, two models."""

import pytest

from bloodcell.core.settings import Settings
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import list_evaluations
from tests.browser.driving import WAIT_MS, settle, watch
from tests.evaluation.judged import add_dataset, learned_from, records_of
from tests.inference.net import write_net
from tests.pages.tiny_model import CLASS_NAMES, write_tiny_model

pytestmark = pytest.mark.browser


@pytest.fixture
def settings(server, tmp_path):
    """The server's workspace with two tiny models and drawn cells; the first model was trained on one of them."""
    home = server.home
    found = Settings(home, f"sqlite:///{home / 'bloodcell.db'}")
    write_tiny_model(found.runs_dir / "tiny") if not (found.runs_dir / "tiny").exists() else None
    write_net(found.runs_dir / "pixel", names=CLASS_NAMES, n_outputs=4, pixel=(16, 16))
    dataset = add_dataset(found, tmp_path, "Drawn")
    learned_from(found, dataset, [records_of(dataset)[4].file])
    return found


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1440, "height": 1500})
    yield context.new_page()
    context.close()


def choose(page, label, option):
    box = page.get_by_role("combobox", name=label)
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).first.click()
    settle(page)


def evaluate(page, model):
    """Ask for an evaluation by mouse and wait until its result opens by itself."""
    choose(page, "Model", model)
    choose(page, "Duplicate groups", "none: every image is a different cell")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.get_by_text(f"{model} on Drawn · 12 images").wait_for(timeout=WAIT_MS)
    settle(page)


def test_evaluating_two_models_and_comparing_them(server, settings, page):
    seen = watch(page, server)
    page.goto(f"{server.url}/evaluate")
    page.get_by_text("Evaluate a model").wait_for(timeout=WAIT_MS)
    evaluate(page, "tiny")
    assert "The model was trained on 1 of these 12 images" in page.get_by_test_id("stAlertContentError").inner_text()

    # A click on a number of the matrix shows exactly those images.
    (info,) = list_evaluations(settings)
    assert f"evaluation={info.name}" in page.url
    answers = read_evaluation(info.folder).prediction_table
    counts = info.report.confusion
    row, column = max(((i, j) for i in range(4) for j in range(4)), key=lambda at: counts[at[0]][at[1]])
    texts = page.locator(".js-plotly-plot .textpoint text")
    texts.nth(row * (4 + any(one[-1] for one in counts)) + column).click(force=True)
    n = counts[row][column]
    page.get_by_text(f"{n} image{'s' if n != 1 else ''}", exact=True).wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.locator("button.tile").count() == n
    wanted = answers[(answers["label"] == CLASS_NAMES[row]) & (answers["prediction"] == CLASS_NAMES[column])]
    assert len(wanted) == n

    # Another image by key, and its label is marked as wrong.
    if n > 1:
        page.keyboard.press("ArrowRight")
        page.locator("button.tile").nth(1).and_(page.locator("[aria-pressed=true]")).wait_for(timeout=WAIT_MS)
        settle(page)
    page.get_by_role("button", name="Mark as label error").click()
    page.get_by_text("1 label error marked").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Evaluate without it").click()
    page.get_by_text("1 image marked as label errors left out").wait_for(timeout=WAIT_MS)
    settle(page)

    for view, words in (("Metrics", "Each class"), ("Calibration", "Errors that the statuses catch and miss")):
        page.get_by_role("radio", name=view, exact=True).click()
        page.get_by_text(words).first.wait_for(timeout=WAIT_MS)
        settle(page)
        assert page.get_by_test_id("stException").count() == 0

    exclude = page.get_by_text("Exclude 1 image marked as a label error")
    if not exclude.is_visible():
        page.get_by_text("Evaluate a model").click()
    exclude.click()
    settle(page)
    evaluate(page, "pixel")

    page.goto(f"{server.url}/compare")
    page.get_by_text("McNemar's exact test").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.get_by_text("12 source cells").count() >= 1
    for view in ("Confusion matrices", "Disagreements", "Training curves"):
        page.get_by_role("radio", name=view, exact=True).click()
        settle(page)
        assert page.get_by_test_id("stException").count() == 0
    assert [one for one in seen if "404" not in one] == []  # Streamlit asks below each page's address first
