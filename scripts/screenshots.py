"""Make docs/screenshots/*.png from the real app with the drawn sample set, in a workspace of its own."""

import os
import tempfile
from pathlib import Path

from bench_page import CHROMIUM_ARGS, WAIT_MS, chromium_path, open_when_up, served
from measuring import PROJECT
from playwright.sync_api import Page, sync_playwright

FOLDER = PROJECT / "docs" / "screenshots"


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)  # pictures and charts settle
    page.screenshot(path=FOLDER / f"{name}.png")


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
            page.click("text=Models")
            take(page, "models")
            page.click("text=Guide")
            take(page, "guide")
        browser.close()


if __name__ == "__main__":
    main()
