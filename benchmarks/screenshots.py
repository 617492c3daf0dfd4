"""Make docs/screenshots/*.png from the real app with drawn images, in a workspace of its own."""

import os
import tempfile
from pathlib import Path

import numpy as np
from bench_page import CHROMIUM_ARGS, WAIT_MS, find_chromium, serve_app, wait_and_open
from measurements import PROJECT
from playwright.sync_api import Page, ViewportSize, sync_playwright

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field

FOLDER = PROJECT / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1440, "height": 900}


def take_screenshot(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)  # images and charts settle
    page.screenshot(path=FOLDER / f"{name}.png")


def draw_copies(folder: Path) -> Path:
    """Six drawn cells a class, each there four times: as it is, turned, mirrored and darker."""
    for number, label in enumerate(WHITE_CELLS_4):
        (folder / label).mkdir(parents=True)
        for cell in range(6):
            rgb = draw_field(10 * number + cell, 1, 240, 320, class_names=[label]).rgb
            copies = (rgb, rgb[::-1, ::-1], rgb[:, ::-1], (0.85 * rgb).astype(np.uint8))
            for copy, changed in enumerate(copies):
                (folder / label / f"{cell}_{copy}.png").write_bytes(encode_png(np.ascontiguousarray(changed)))
    return folder


def take_fields(page: Page) -> None:
    """Show the fields of the open batch, with a white cell open."""
    page.set_viewport_size({"width": 1440, "height": 1180})
    page.get_by_role("radio", name="Fields", exact=True).click()
    page.locator("svg.field .box[data-key^='cell-']").first.wait_for()
    page.wait_for_timeout(2000)
    page.locator("svg.field .box[data-key^='cell-']").first.click()
    take_screenshot(page, "fields")
    page.get_by_role("radio", name="White cells", exact=True).first.click()
    page.set_viewport_size(SIZE)


def take_datasets(page: Page, url: str, images: Path) -> None:
    """Register a folder, find its copies, and show them."""
    page.goto(f"{url}/datasets")
    page.get_by_role("textbox", name="Folder or zip on this computer").fill(str(images))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("radio", name="Duplicates").click()
    page.get_by_role("button", name="Find duplicates").click()
    page.wait_for_selector("text=Groups of one image")
    page.set_viewport_size({"width": 1440, "height": 1280})
    take_screenshot(page, "datasets")
    page.set_viewport_size(SIZE)


def take_training(page: Page, url: str) -> None:
    """Train a tiny net on the registered set, and show its curves."""
    page.goto(f"{url}/train")
    page.get_by_text("Input: cell or whole image").click()
    for label in ("Height (px)", "Width (px)"):
        page.get_by_label(label, exact=True).fill("32")
        page.keyboard.press("Enter")
    page.get_by_text("Class imbalance and unknown cells").click()
    page.get_by_label("Images per epoch", exact=True).fill("640")
    page.keyboard.press("Enter")
    page.wait_for_timeout(4000)
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("is in the model library").wait_for(timeout=10 * WAIT_MS)
    take_screenshot(page, "train")


def take_evaluation(page: Page, url: str) -> None:
    """Evaluate two shipped models on the registered set, and compare them."""
    page.goto(f"{url}/evaluate")
    _evaluate(page, "wbc4")
    page.set_viewport_size({"width": 1440, "height": 1280})
    take_screenshot(page, "evaluate")
    page.get_by_text("Evaluate a model").click()
    page.get_by_role("combobox", name="Model", exact=True).click()
    page.get_by_role("option", name="wbc4-other-stains").click()
    page.wait_for_timeout(2000)
    _evaluate(page, "wbc4-other-stains")
    page.goto(f"{url}/compare")
    page.get_by_text("McNemar's exact test").wait_for()
    take_screenshot(page, "compare")
    page.set_viewport_size(SIZE)


def _evaluate(page: Page, model: str) -> None:
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.get_by_text(f"{model} on smears · 96 images").first.wait_for(timeout=10 * WAIT_MS)


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("error: there is no Chromium on this machine.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ |= {"USER": "lab", "LOGNAME": "lab"}  # whose initials the pages show
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        home = Path(folder) / "workspace"
        home.mkdir()
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGS))
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(WAIT_MS)
        with serve_app(home) as (process, url):
            wait_and_open(page, url, process)
            page.wait_for_selector("text=Try the sample set")
            take_screenshot(page, "start")
            page.click("text=Try the sample set")
            page.wait_for_selector("text=Lowest confidence first")
            page.wait_for_timeout(2000)
            page.keyboard.press("Enter")
            take_screenshot(page, "classify")
            take_fields(page)
            take_datasets(page, url, draw_copies(Path(folder) / "smears"))
            take_training(page, url)
            take_evaluation(page, url)
            page.click("text=Models")
            take_screenshot(page, "models")
            page.click("text=Guide")
            take_screenshot(page, "guide")
        browser.close()


if __name__ == "__main__":
    main()
