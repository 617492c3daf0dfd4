"""Measure in the browser how long an evaluation of 10,000 images takes to open, and a click.

Writes docs/measured/evaluate_page.json.

    python benchmarks/measure_evaluate_page.py [--repeats 5]

The shipped model is evaluated on kaggle-wbc TRAIN (which it was trained on: this measures time, not accuracy) in a workspace
of its own, by the code that the page's job runs. Then the app is served and driven in headless Chromium: opening is from the
click on Evaluate in the menu until the opened image stands; "by its address" loads the whole app anew, Streamlit's start
included; a click is from the mouse to the other images.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench_page import find_chromium
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.settings import Settings, load_settings
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.catalog.source_spec import DATASET, SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.evaluation.evaluate import run_evaluation
from bloodcell.evaluation.library import store_evaluation
from bloodcell.evaluation.spec import EvaluateSpec

NAME = "measured"
WAIT_MS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    folder = require_path(DATA / "kaggle-wbc" / "TRAIN")
    with tempfile.TemporaryDirectory() as home:
        os.environ["BLOODCELL_HOME"] = home
        n_images = _evaluate_model(folder, load_settings())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            opened, within, clicks, tiles = _measure_clicks(f"http://127.0.0.1:{port}", repeats)
        finally:
            server.terminate()
            server.wait()
    measured = {"address_s": opened, "open_s": within, "matrix_s": clicks, "tile_s": tiles}
    figures = {name: _summarise_times(values) for name, values in measured.items()}
    write_measurement("evaluate_page", {"images": n_images, "repeats": repeats, **figures})


def _evaluate_model(folder: Path, settings: Settings) -> int:
    dataset = register_dataset("TRAIN", folder, recognise_layout(folder).choice, settings)
    source = SourceSpec("TRAIN", dataset.id, DATASET, groups="each")
    spec = EvaluateSpec(NAME, "wbc4", source, compares_pixels=False)
    found = run_evaluation(spec, settings.home, settings, lambda *_: None)
    store_evaluation(found, settings.home / "new", NAME, settings)
    return len(found.prediction_table)


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("error: the app did not start.")


def _measure_clicks(url: str, repeats: int) -> tuple[list[float], ...]:
    from playwright.sync_api import sync_playwright

    opened, within, clicks, picks = [], [], [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1440, "height": 1200}).new_page()
        for number in range(repeats + 1):  # the first fills the caches of server and browser
            page.goto("about:blank")
            started = time.perf_counter()
            page.goto(f"{url}/evaluate?evaluation={NAME}")
            page.locator("button.tile").first.wait_for(timeout=WAIT_MS)
            page.get_by_text(re.compile("^Called ")).first.wait_for(timeout=WAIT_MS)
            if number:
                opened.append(time.perf_counter() - started)
        for _ in range(repeats):
            page.get_by_role("link", name="Models").click()
            page.get_by_text("Show the card of").or_(page.get_by_role("heading", name="Figures")).first.wait_for(
                timeout=WAIT_MS
            )
            page.wait_for_timeout(1500)
            started = time.perf_counter()
            page.get_by_role("link", name="Evaluate").click()
            page.get_by_text(re.compile("^Called ")).first.wait_for(timeout=WAIT_MS)
            within.append(time.perf_counter() - started)
        page.wait_for_timeout(2000)
        numbers = page.locator(".js-plotly-plot .textpoint text")
        shown = [
            at
            for at in range(numbers.count())
            if int(re.sub(r"\D", "", numbers.nth(at).text_content() or "") or 0) > 40
        ]
        for number in range(repeats + 1):
            at = shown[number % len(shown)]
            count = numbers.nth(at).text_content()
            started = time.perf_counter()
            numbers.nth(at).click(force=True)
            page.get_by_text(f"{count} pictures", exact=True).wait_for(timeout=WAIT_MS)
            if number >= 1:
                clicks.append(time.perf_counter() - started)
            page.wait_for_timeout(1200)
        for number in range(repeats):
            tile = page.locator("button.tile").nth(number + 2)
            before = page.get_by_test_id("stHtml").first.inner_html()
            started = time.perf_counter()
            tile.click()
            page.wait_for_function(
                "old => document.querySelector('[data-testid=stHtml] figure')?.outerHTML"
                " && !old.includes(document.querySelector('[data-testid=stHtml] figure img').src.slice(-400))",
                arg=before,
                timeout=WAIT_MS,
            )
            picks.append(time.perf_counter() - started)
            page.wait_for_timeout(800)
        browser.close()
    return opened, within, clicks, picks


def _summarise_times(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


if __name__ == "__main__":
    main()
