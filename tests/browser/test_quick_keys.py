"""Keys that come faster than the server answers, and a server that goes away: every review is saved or said to be not."""

import re
import sqlite3

import pytest

from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.driving import WAIT_MS, settle, wait_until_saved

pytestmark = pytest.mark.browser

N_FIELDS, CELLS_PER_FIELD = 44, 3
DEAD_PAGE = "Cached ForwardMsg MISS"


@pytest.fixture
def gallery(server, chromium, tmp_path):
    """A batch of about 120 cells, open in a browser."""
    paths = []
    for seed in range(N_FIELDS):
        paths.append(tmp_path / f"field {seed}.png")
        paths[-1].write_bytes(encode_png(draw_field(seed, n_white=CELLS_PER_FIELD).rgb))
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{server.url}?classify-page-size=60&classify-sort=File+order")
    page.get_by_text("Not a medical device").first.wait_for(timeout=WAIT_MS)
    page.locator("input[type=file]").first.set_input_files([str(path) for path in paths])
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    page.locator(".tile").first.click()
    wait_until_saved(page)
    yield page
    page.context.close()


def count_reviews(server):
    with sqlite3.connect(server.home / "bloodcell.db") as db:
        return db.execute("SELECT count(DISTINCT cell_id), count(*) FROM corrections").fetchone()


def count_refused(page):
    told = re.search(r"Not taken: (\d+) reviews?", page.locator(".notice").inner_text() or "")
    return int(told.group(1)) if told else 0


def test_an_arrow_held_for_three_seconds_leaves_a_living_page(server, gallery):
    for _ in range(100):  # what a keyboard sends of a held key
        gallery.keyboard.down("ArrowRight")
        gallery.wait_for_timeout(30)
    gallery.keyboard.up("ArrowRight")
    wait_until_saved(gallery)
    assert gallery.get_by_text(DEAD_PAGE).count() == 0
    gallery.keyboard.press("5")
    wait_until_saved(gallery)
    assert count_reviews(server) == (1, 1)
    assert gallery.locator(".tile .badge", has_text="corrected").count() == 1


def test_each_of_a_hundred_quick_keys_is_saved_or_said_to_be_not(server, gallery):
    for number in range(100):
        gallery.keyboard.press("56"[number % 2])
        gallery.wait_for_timeout(60)
    wait_until_saved(gallery)
    assert gallery.get_by_text(DEAD_PAGE).count() == 0
    n_cells, n_corrections = count_reviews(server)
    assert n_cells == n_corrections
    assert n_cells + count_refused(gallery) == 100
    assert n_cells > 80


def test_a_server_that_is_stopped_and_started_loses_no_review(server, gallery):
    for number in range(30):
        gallery.keyboard.press("56"[number % 2])
        gallery.wait_for_timeout(60)
    server.kill()
    gallery.get_by_text("Not connected to the server").wait_for(timeout=WAIT_MS)
    before = gallery.locator(".tile .label").all_inner_texts()
    for _ in range(5):
        gallery.keyboard.press("5")
    assert count_refused(gallery) == 5
    assert gallery.locator(".tile .label").all_inner_texts() == before
    assert "will be sent" in gallery.locator(".notice").inner_text() or count_reviews(server)[0] == 30
    server.start()
    gallery.get_by_text("Not connected to the server").wait_for(state="hidden", timeout=WAIT_MS)
    wait_until_saved(gallery)
    assert count_reviews(server) == (30, 30)
    gallery.locator(".tile").nth(35).click()
    gallery.keyboard.press("5")
    wait_until_saved(gallery)
    assert count_reviews(server) == (31, 31)
    assert len([text for text in gallery.locator(".tile .badge").all_inner_texts() if text == "✎ corrected"]) == 31
