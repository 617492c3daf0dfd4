"""Make docs/screenshots/*.png from the real app with the drawn sample set, in a workspace of its own.

The Datasets page is shown with kaggle-wbc TEST_SIMPLE where the public sets lie in ../shared/data or BLOODCELL_DATA.
"""

import os
import tempfile
from pathlib import Path

from bench_page import CHROMIUM_ARGS, WAIT_MS, chromium_path, open_when_up, served
from measuring import DATA, PROJECT
from playwright.sync_api import Page, sync_playwright

FOLDER = PROJECT / "docs" / "screenshots"


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)  # pictures and charts settle
    page.screenshot(path=FOLDER / f"{name}.png")


def take_datasets(page: Page, url: str) -> None:
    """Register TEST_SIMPLE, find its copies, and show them."""
    images = DATA / "kaggle-wbc" / "TEST_SIMPLE"
    if not images.is_dir():
        print(f"no picture of the Datasets page: {images} is not there")
        return
    page.goto(f"{url}/datasets")
    page.get_by_role("textbox", name="Folder or zip on this computer").fill(str(images))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("radio", name="Copies").click()
    page.get_by_role("button", name="Find copies").click()
    page.wait_for_selector("text=Groups of one image")
    take(page, "datasets")


def main() -> None:
    chromium = chromium_path()
    if chromium is None:
        raise SystemExit("error: there is no Chromium on this machine.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ |= {"USER": "lab", "LOGNAME": "lab"}  # whose initials the pages show
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        home = Path(folder) / "workspace"
        home.mkdir()
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(WAIT_MS)
        with served(home) as (process, url):
            open_when_up(page, url, process)
            page.wait_for_selector("text=Try the sample set")
            take(page, "start")
            page.click("text=Try the sample set")
            page.wait_for_selector("text=Least sure first")
            page.wait_for_timeout(2000)
            page.keyboard.press("Enter")
            take(page, "classify")
            take_datasets(page, url)
            page.click("text=Models")
            take(page, "models")
            page.click("text=Guide")
            take(page, "guide")
        browser.close()


if __name__ == "__main__":
    main()
