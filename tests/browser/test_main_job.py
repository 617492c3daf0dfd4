"""The main job in a real browser: upload, correct by keyboard, download, refresh, survive a killed server."""

import zipfile

import cv2
import numpy as np
import pytest

from bloodcell.imaging.read import encode_jpeg, encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.driving import WAIT_MS, download, settle, wait_until_saved, watch

pytestmark = pytest.mark.browser


def drawn(seed, n_white=1):
    return draw_field(seed, n_white=n_white).rgb


def encoded(suffix, array):
    done, data = cv2.imencode(suffix, array)
    assert done
    return data.tobytes()


@pytest.fixture
def files(tmp_path):
    """Six files: four formats, a zip of two, and one that is cut off."""
    folder = tmp_path / "to upload"
    folder.mkdir()
    bgr = [cv2.cvtColor(drawn(seed), cv2.COLOR_RGB2BGR) for seed in (11, 12)]
    contents = {
        "field.jpg": encode_jpeg(drawn(10, n_white=2)),
        "field.png": encode_png(drawn(13)),
        "field.bmp": encoded(".bmp", bgr[0]),
        "sixteen bit.tif": encoded(".tif", bgr[1].astype(np.uint16) * 257),
        "broken.jpg": encode_jpeg(drawn(14))[:3000],
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("inside/first.jpg", encode_jpeg(drawn(15)))
        archive.writestr("inside/empty field.jpg", encode_jpeg(drawn(16, n_white=0)))
    return sorted(folder.iterdir())


SHOWN_AT_ONCE = """key => {
    const roots = [...document.querySelectorAll("*")].map(node => node.shadowRoot)
    const root = roots.find(one => one?.querySelector(".pager"))
    const before = root.querySelector(".pager").textContent
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }))
    return root.querySelector(".pager").textContent !== before
}"""


def badges(page):
    return [text for text in page.locator(".tile .badge").all_inner_texts() if text]


def test_upload_correct_download_refresh_restart(server, chromium, files):
    page = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True).new_page()
    seen = watch(page, server)
    page.goto(server.url)
    page.get_by_text("Not a medical device").first.wait_for(timeout=WAIT_MS)
    page.get_by_role("textbox", name="Your initials").fill("QA")
    page.get_by_role("textbox", name="Your initials").press("Enter")
    settle(page)

    page.locator("input[type=file]").first.set_input_files([str(path) for path in files])
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    n_cells = page.locator(".tile").count()
    assert n_cells >= 5
    page.get_by_text("2 images without a result").wait_for(timeout=WAIT_MS)

    # Correct the first cell by keyboard, take that back, and correct it again.
    assert badges(page) == []
    first = page.locator(".tile").first
    first.click()
    was = first.locator(".label").inner_text()
    key, word = ("3", "Monocyte") if was != "Monocyte" else ("4", "Neutrophil")
    page.keyboard.press(key)
    assert badges(page)[0] in ("… saving", "✎ corrected")  # at once, but called saved only when it is
    assert first.locator(".label").inner_text() == word
    wait_until_saved(page)
    assert badges(page) == ["✎ corrected"]
    page.keyboard.press("u")
    page.get_by_text("undone").wait_for(timeout=WAIT_MS)
    wait_until_saved(page)
    assert badges(page) == []
    assert first.locator(".label").inner_text() == was
    assert "chosen" in first.get_attribute("class")
    page.keyboard.press(key)
    wait_until_saved(page)
    # The browser shows the effect of a key in the same instant, without waiting for the server.
    assert page.evaluate(SHOWN_AT_ONCE, "ArrowRight")
    assert page.evaluate(SHOWN_AT_ONCE, "ArrowLeft")
    # Keys typed faster than the server answers all count, each for its own cell.
    page.keyboard.type("56", delay=20)
    wait_until_saved(page)
    assert badges(page) == ["✎ corrected"] * 3
    chosen = page.locator(".tile.chosen").get_attribute("data-cell")

    plain = download(page, "Image CSV")
    assert plain[0] == ["Filename", "Prediction"]
    assert len(plain) == 1 + 7
    words = dict(plain[1:])
    assert words["broken.jpg"] == "UNREADABLE"
    assert words["more.zip/inside/empty field.jpg"] == "NO_WHITE_CELL"
    full = download(page, "Cell CSV")
    rows = [dict(zip(full[0], row, strict=True)) for row in full[1:]]
    assert len(rows) == n_cells + 2
    decided = {row["correction"]: row["who"] for row in rows if row["correction"]}
    assert decided == {word.upper(): "QA", "OTHER": "QA", "NOT_A_CELL": "QA"}

    page.reload()
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    assert badges(page) == ["✎ corrected"] * 3
    assert page.locator(".tile.chosen").get_attribute("data-cell") == chosen
    assert page.get_by_role("textbox", name="Your initials").input_value() == "QA"

    address = page.url
    page.goto("about:blank")  # a page that is open would rightly complain of the lost connection
    server.kill()
    server.start()
    page.goto(address)
    page.locator(".tile").first.wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.locator(".tile").count() == n_cells
    assert badges(page) == ["✎ corrected"] * 3
    assert page.locator(".tile.chosen").get_attribute("data-cell") == chosen
    assert download(page, "Cell CSV") == full
    assert seen == []
    page.context.close()
