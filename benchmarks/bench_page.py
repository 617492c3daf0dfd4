"""What the bench measures in a real browser: the first answer after a cold start, and memory after many images."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Error, Page, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 120_000
POLL_S = 0.02

Measurements = dict[str, float]


def find_chromium() -> str | None:
    """Find the system's Chromium, None where there is none."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def measure_page(chromium: str, images: list[Path], home: Path) -> Measurements:
    """Start the app in an empty workspace and use it once.

    Parameters
    ----------
    chromium : path of the browser; its own start is not counted
    images : the first is dropped alone, then all the others at once
    home : empty folder for the workspace

    Returns
    -------
    dict
        empty_s, from starting `streamlit run` on a page of one title until that shows: what Streamlit itself takes;
        title_s, from starting `streamlit run` until the page asks for images; answer_s, until the first dropped image
        shows its class; batch_s, from dropping all images until they are classified and shown; rss_mb of the app
        process after that, and rss_start_mb before any image.
    """
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(WAIT_MS)
        page.goto("about:blank")
        empty_app = home.parent / "empty.py"
        empty_app.write_text("import streamlit as st\n\nst.title('Empty')\n", encoding="utf-8")
        start = time.perf_counter()
        with serve_app(home, str(empty_app)) as (process, url):
            wait_and_open(page, url, process)
            page.get_by_role("heading", name="Empty").wait_for()
            empty_s = time.perf_counter() - start
        page.goto("about:blank")
        start = time.perf_counter()
        with serve_app(home) as (process, url):
            wait_and_open(page, url, process)
            drop = page.locator("input[type=file]").first
            drop.wait_for(state="attached")
            page.get_by_role("heading", name="Classify white blood cells").wait_for()
            title_s = time.perf_counter() - start
            rss_start_mb = measure_rss_mb(process)
            drop.set_input_files(images[0])
            page.locator(".tile .label").first.wait_for()
            answer_s = time.perf_counter() - start

            page.goto(url)
            start = time.perf_counter()
            page.locator("input[type=file]").first.set_input_files(images[1:])
            page.get_by_text(f"{len(images) - 1} images analysed").wait_for()
            page.locator(".tile .label").first.wait_for()
            batch_s = time.perf_counter() - start
            rss_mb = measure_rss_mb(process)
        browser.close()
    return {
        "empty_s": empty_s,
        "title_s": title_s,
        "answer_s": answer_s,
        "batch_s": batch_s,
        "rss_start_mb": rss_start_mb,
        "rss_mb": rss_mb,
    }


@contextmanager
def serve_app(home: Path, app: str = "app.py") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`streamlit run APP` on a free port, ended afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", app, "--server.port", str(port)]
    environment = os.environ | {"BLOODCELL_HOME": str(home)}
    environment.pop("BLOODCELL_DB", None)
    with (home.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_and_open(page: Page, url: str, process: subprocess.Popen[bytes]) -> None:
    """Go to the page as soon as the server listens."""
    while process.poll() is None:
        try:
            page.goto(url, wait_until="commit")
            return
        except Error:
            time.sleep(POLL_S)
    raise SystemExit("error: streamlit stopped before it served a page")


def measure_rss_mb(process: subprocess.Popen[bytes]) -> float:
    """Memory in MB of the app process and all that it started."""
    whole = psutil.Process(process.pid)
    processes = [whole, *whole.children(recursive=True)]
    return float(sum(process.memory_info().rss for process in processes)) / 2**20
