"""Make docs/screenshots/*.png from the real app with the drawn sample set, in a workspace of its own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from measuring import PROJECT
from playwright.sync_api import Page, sync_playwright

CHROMIUM = os.environ.get("BLOODCELL_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FOLDER = PROJECT / "docs" / "screenshots"
WAIT_MS = 120_000


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url)
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit("error: the app did not start within a minute.")


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)  # pictures and charts settle
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as workspace:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        environment = {**os.environ, "BLOODCELL_HOME": workspace, "USER": "lab", "LOGNAME": "lab"}
        app = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_selector("text=Try the sample set", timeout=WAIT_MS)
                take(page, "start")
                page.click("text=Try the sample set")
                page.wait_for_selector("text=Least sure first", timeout=WAIT_MS)
                page.wait_for_timeout(2000)
                page.keyboard.press("Enter")
                take(page, "classify")
                page.click("text=Models")
                take(page, "models")
                page.click("text=Guide")
                take(page, "guide")
                browser.close()
        finally:
            app.kill()
            app.wait()


if __name__ == "__main__":
    main()
