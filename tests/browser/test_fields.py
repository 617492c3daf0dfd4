"""The fields of a batch: counts of all cells, and boxes that are drawn, split, moved, removed and named in a browser."""

import sqlite3

import pytest

from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.driving import WAIT_MS, download, settle

pytestmark = pytest.mark.browser


@pytest.fixture
def page(server, chromium, tmp_path):
    """Three drawn fields, the part Fields open."""
    paths = []
    for seed in range(3):
        paths.append(tmp_path / f"field {seed}.png")
        paths[-1].write_bytes(encode_png(draw_field(seed, n_white=2).rgb))
    page = chromium.new_context(viewport={"width": 1440, "height": 1100}, accept_downloads=True).new_page()
    page.goto(server.url)
    page.get_by_text("Not a medical device").first.wait_for(timeout=WAIT_MS)
    page.locator("input[type=file]").first.set_input_files([str(path) for path in paths])
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    page.get_by_role("radio", name="Fields", exact=True).click()
    page.locator("svg.field .box").first.wait_for(timeout=WAIT_MS)
    settle(page)
    yield page
    page.context.close()


def count(page, name):
    """The number that the button of a kind shows, once nothing waits."""
    page.wait_for_function(
        """() => [...document.querySelectorAll("*")].map(node => node.shadowRoot)
            .some(root => root?.querySelector(".editor") && root.querySelector(".saving").hidden)""",
        timeout=WAIT_MS,
    )
    settle(page)
    return int(page.locator(".kinds button", has_text=name).inner_text().rsplit(maxsplit=1)[-1])


def locate(page, row_share, col_share):
    bounds = page.locator("svg.field").bounding_box()
    return bounds["x"] + col_share * bounds["width"], bounds["y"] + row_share * bounds["height"]


def drag(page, start, end):
    page.mouse.move(*locate(page, *start))
    page.mouse.down()
    page.mouse.move(*locate(page, *((a + b) / 2 for a, b in zip(start, end, strict=True))))
    page.mouse.move(*locate(page, *end))
    page.mouse.up()


def open_white_cell(page):
    """Click the first white cell; return the middle of its box on the screen and its sides."""
    box = page.locator("svg.field .box[data-key^='cell-']").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*middle)
    page.locator("svg.field .box.chosen").wait_for()
    return middle, box["width"], box["height"]


def test_boxes_are_mended_by_mouse_and_keyboard(server, page):
    n_white, n_red = count(page, "White cells"), count(page, "Red cells")
    assert n_white >= 1
    assert n_red >= 5

    # Two clicks split the cell in two, one key brings it back.
    (x, y), width, _height = open_white_cell(page)
    page.keyboard.press("s")
    page.mouse.click(x - width / 4, y)
    page.mouse.click(x + width / 4, y)
    assert count(page, "White cells") == n_white + 1
    page.keyboard.press("u")
    assert count(page, "White cells") == n_white

    # A red cell is drawn with the mouse, and seen in the counts of the page.
    page.keyboard.press("r")
    drag(page, (0.02, 0.02), (0.16, 0.12))
    page.keyboard.press("Escape")
    assert count(page, "Red cells") == n_red + 1

    # A number key names the open cell; Delete removes it, U brings it back.
    open_white_cell(page)
    page.keyboard.press("5")
    page.locator(".caption", has_text="Other cell").wait_for(timeout=WAIT_MS)
    page.keyboard.press("Delete")
    assert count(page, "White cells") == n_white - 1
    page.keyboard.press("u")
    assert count(page, "White cells") == n_white

    # Shift and an arrow move the open box.
    open_white_cell(page)
    before = page.locator("svg.field .box.chosen").get_attribute("x")
    page.keyboard.press("Shift+ArrowRight")
    assert count(page, "White cells") == n_white
    assert float(page.locator("svg.field .box.chosen").get_attribute("x")) > float(before)

    with sqlite3.connect(server.home / "bloodcell.db") as db:
        assert db.execute("SELECT count(*) FROM box_edits WHERE undone_at IS NULL").fetchone() == (3,)
        assert db.execute("SELECT label FROM corrections").fetchall() == [("OTHER",)]
    rows = download(page, "Field CSV")
    assert rows[0][:5] == ["file", "sha256", "white_cells", "red_cells", "platelets"]
    assert len(rows) == 4


def test_boxes_are_hidden_and_zoomed(page):
    n_boxes = page.locator("svg.field .box").count()
    n_red = count(page, "Red cells")
    page.locator(".kinds button", has_text="Red cells").click()
    assert page.locator("svg.field .box").count() == n_boxes - n_red
    page.locator(".kinds button", has_text="Red cells").click()
    whole = page.locator("svg.field").get_attribute("viewBox")
    page.keyboard.press("+")
    assert page.locator("svg.field").get_attribute("viewBox") != whole
    page.keyboard.press("0")
    assert page.locator("svg.field").get_attribute("viewBox") == whole


def test_a_ruler_across_a_red_cell_sets_the_scale(page):
    page.get_by_role("button", name="Measure a red cell").click()
    page.get_by_text("Drag across a red cell").wait_for(timeout=WAIT_MS)
    _, _, width, _ = map(float, page.locator("svg.field").get_attribute("viewBox").split())
    drag(page, (0.5, 0.2), (0.5, 0.3))
    page.get_by_text("set by hand").wait_for(timeout=15000)
    assert page.get_by_text(f"1 red cell = {width / 10:.0f} px").count() == 1
