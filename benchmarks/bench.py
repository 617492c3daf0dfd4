"""Measure speed and memory side by side in one run, print the table, and write docs/benchmarks.md (`make bench`)."""

import argparse
import datetime
import hashlib
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench_page import find_chromium, measure_page
from measure_tests import render_section, replace_section
from measurements import DATA, PROJECT, RESULTS_DIR

from bloodcell.jobs.runners.spawn import WORKER_ENVIRONMENT

REPORT = PROJECT / "docs" / "benchmarks.md"
PACKAGES = ("streamlit", "onnxruntime", "opencv-python-headless", "numpy", "keras", "tensorflow-cpu")
SEED = 0
TRAINING_IMAGES = 240
TRAINED = {"custom_cnn": "custom CNN", "small": "small net"}  # what bench_training.py trains

Samples = dict[str, list[float]]  # name of a figure -> one value a repeat


@dataclass(frozen=True)
class Bar:
    """One promise: the median of a figure must not be below (or, with at_most, above) a limit."""

    what: str
    figure: str
    limit: float
    unit: str
    is_upper_limit: bool = False

    def is_met(self, samples: Samples) -> bool:
        value = statistics.median(samples[self.figure])
        return value <= self.limit if self.is_upper_limit else value >= self.limit


BARS = (
    Bar("whole path, times the plain loop", "warm / plain_loop", 20, "x"),
    Bar("whole path, share of the decoding rate", "warm / decode", 0.10, ""),
    Bar("finder, one 640x480 field on one core", "finder median_ms", 5, "ms", is_upper_limit=True),
    *(
        bar
        for network, title in TRAINED.items()
        for bar in (
            Bar(f"training the {title}, times the published way", f"{network} / published", 2, "x"),
            Bar(f"training the {title}, share of the rate on one batch in memory", f"{network} / in memory", 0.8, ""),
        )
    ),
    Bar("page asks for images after a cold start", "page title_s", 3, "s", is_upper_limit=True),
    Bar("first image classified after a cold start", "page answer_s", 3, "s", is_upper_limit=True),
    Bar("memory of the app after all images", "page rss_mb", 400, "MB", is_upper_limit=True),
)

ROWS = (
    ("decoding alone, all cores", "decode", "images/s"),
    ("whole path, files to CSV, warm process", "warm", "images/s"),
    ("whole path, files to CSV, with the start of the process", "cold", "images/s"),
    ("the same, in seconds", "cold_s", "s"),
    ("plain loop of PIL and `keras predict`", "plain_loop", "images/s"),
    ("network alone (ONNX Runtime)", "network", "crops/s"),
    ("whole path, times the plain loop", "warm / plain_loop", "x"),
    ("whole path, share of the decoding rate", "warm / decode", ""),
    ("with the start of the process, times the plain loop", "cold / plain_loop", "x"),
    ("with the start of the process, share of the decoding rate", "cold / decode", ""),
    ("finder, median field", "finder median_ms", "ms"),
    ("finder, 95th percentile of the fields", "finder p95_ms", "ms"),
    *(
        row
        for network, title in TRAINED.items()
        for row in (
            (f"training the {title}, all epochs with all that is made first", f"{network} ours", "images/s"),
            (f"training the {title} the published way, all epochs", f"{network} published", "images/s"),
            (f"training the {title}, after the first epoch", f"{network} ours steady_per_s", "images/s"),
            (
                f"training the {title} the published way, after the first epoch",
                f"{network} published steady_per_s",
                "images/s",
            ),
            (
                f"training the {title} on one batch in memory, after the first epoch",
                f"{network} in_memory steady_per_s",
                "images/s",
            ),
        )
    ),
    ("cold start of a Streamlit page with one title and nothing else, for comparison", "page empty_s", "s"),
    ("cold start until the page asks for images", "page title_s", "s"),
    ("cold start until the first image dropped shows its class", "page answer_s", "s"),
    ("all the other images dropped at once, until classified and shown", "page batch_s", "s"),
    ("memory of the app process at first", "page rss_start_mb", "MB"),
    ("memory of the app process after all images", "page rss_mb", "MB"),
)


NOTES = (
    "The decoding rate is OpenCV's on JPEGs that lie in memory, one thread a core, nothing else done. The whole path "
    "is `python -m bloodcell classify FOLDER --out FILE.csv`: reading files, hashing, decoding, finding the cells, "
    "cropping, the network, the database, the CSV. The bars are set on the warm process, as decoding and the plain "
    "loop are timed without their start either (importing Keras alone takes seconds); the rate with the start of the "
    "process stands beside it.",
    "",
    "The plain loop is timed on 60 of the images after 5 to warm up: open with PIL, resize the whole image to the "
    "network's side, `model.predict` on a batch of one. It finds no cells, so it has less to do than the whole path.",
    "",
    "The finder is timed on the 640x480 fields of bccd with `cv2.setNumThreads(1)`, decoded before.",
    "",
    f"Trained are the published network for 128x128 images (three epochs) and the small network at 64x64 (eight) on "
    f"{TRAINING_IMAGES} of the images, whole, with rotation, flip and contrast, as a job runs it; "
    "`benchmarks/bench_training.py` says what the three ways do. The first bar of each counts all epochs and the making of "
    "the images' file, the second the epochs after the first. The more a network computes, the less its feeding "
    "matters.",
    "",
    "The page is opened in a headless Chromium that runs already; time counts from starting `streamlit run app.py` in "
    "an empty workspace. Memory is the resident memory of that process and its children, shared libraries included.",
)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main() -> int:
    """Run the bench; exit code 0 also where a bar is missed or the data are absent."""
    options = parse_options()
    train = DATA / "kaggle-wbc" / "TRAIN"
    fields = DATA / "bccd" / "JPEGImages"
    for folder in (train, fields, options.model):
        if not folder.is_dir():
            print(f"skipped: {folder} is not there (shared data beside the project, or BLOODCELL_DATA; a model)")
            return 0
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with tempfile.TemporaryDirectory(prefix="bloodcell-bench-") as text:
        work = Path(text)
        images = lay_out_images(train, work / "images", options.images)
        samples = run_all(options, images, fields, work)
    report = write_report(samples, options, len(images), load_before)
    print(report)
    if options.out:
        options.out.write_text(report, encoding="utf-8")
        print(f"written to {options.out}")
    return 0


def parse_options() -> argparse.Namespace:
    """Read the command line; the defaults are the real bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500, help="images, evenly over the classes")
    parser.add_argument("--repeats", type=int, default=3, help="how often each is measured, in turns")
    parser.add_argument("--model", type=Path, default=PROJECT / "models" / "wbc4", help="model folder")
    parser.add_argument("--out", type=lambda text: Path(text) if text else None, default=REPORT, help="'' for none")
    return parser.parse_args()


def lay_out_images(train: Path, folder: Path, n_images: int) -> list[Path]:
    """Copy a fixed choice of images, no two alike, into one folder, the classes in turns."""
    folder.mkdir()
    rng = random.Random(SEED)
    by_class = [sorted(path.iterdir()) for path in sorted(train.iterdir()) if path.is_dir()]
    for files in by_class:
        rng.shuffle(files)
    copies: dict[str, Path] = {}
    for path in itertools.chain.from_iterable(zip(*by_class, strict=False)):
        if len(copies) == n_images:
            break
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 not in copies:
            copies[sha256] = Path(shutil.copyfile(path, folder / f"{len(copies):04d}{path.suffix}"))
    return list(copies.values())


def run_all(options: argparse.Namespace, images: list[Path], fields: Path, work: Path) -> Samples:
    """Measure everything `repeats` times, in turns, so that a busy moment of the machine hits all alike."""
    samples: Samples = defaultdict(list)
    home = work / "workspace"
    create_workspace(home, options.model)
    environment = os.environ | {
        "BLOODCELL_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "benchmarks")]),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    chromium = find_chromium()
    small = work / "few"
    small.mkdir()
    for path in images[:TRAINING_IMAGES]:
        shutil.copyfile(path, small / path.name)
    for repeat in range(options.repeats):
        print(f"round {repeat + 1} of {options.repeats} ...", flush=True)
        steps: dict[str, Callable[[], dict[str, float]]] = {
            "decode": lambda: run_step("decode", images[0].parent, options, work, environment),
            "plain_loop": lambda: run_step("plain_loop", images[0].parent, options, work, environment),
            "warm": lambda: run_step("whole_path", images[0].parent, options, work, environment),
            "cold": lambda: run_cold_command(images, options, work, environment),
            "network": lambda: run_step("network", images[0].parent, options, work, environment),
            **{
                f"{network} {way}": partial(run_training_way, way, network, small, work, environment | added)
                for network in TRAINED
                for way, added in (("ours", WORKER_ENVIRONMENT), ("published", {}), ("in_memory", WORKER_ENVIRONMENT))
            },
            "finder": lambda: run_step("finder", fields, options, work, environment | ONE_THREAD),
        }
        for name, measure in steps.items():
            add_sample(samples, name, measure())
        for part in ("warm", "cold"):
            for other in ("plain_loop", "decode"):
                samples[f"{part} / {other}"].append(samples[part][-1] / samples[other][-1])
        for network in TRAINED:
            times = samples[f"{network} ours"][-1] / samples[f"{network} published"][-1]
            samples[f"{network} / published"].append(times)
            shared = samples[f"{network} ours steady_per_s"][-1] / samples[f"{network} in_memory steady_per_s"][-1]
            samples[f"{network} / in memory"].append(shared)
        if chromium:
            page_home = work / f"page{repeat}" / "workspace"
            create_workspace(page_home, options.model)
            add_sample(samples, "page", measure_page(chromium, images, page_home))
    if not chromium:
        print("no page figures: Chromium is not installed")
    return samples


def add_sample(samples: Samples, name: str, figures: dict[str, float]) -> None:
    """Keep the metrics of one measurement: a rate under the step's name, others under name and figure."""
    for figure, value in figures.items():
        samples[name if figure == "images_per_s" else f"{name} {figure}" if name != "cold" else figure].append(value)


def create_workspace(home: Path, model: Path) -> None:
    """Make an empty workspace that has the model, where it is not in the model library already."""
    home.mkdir(parents=True)
    if model.resolve().parent != PROJECT / "models":
        shutil.copytree(model, home / "runs" / model.name)


def run_step(
    name: str, folder: Path, options: argparse.Namespace, work: Path, environment: dict[str, str]
) -> dict[str, float]:
    """One measurement of bench_steps.py, in a process of its own."""
    command = [sys.executable, str(PROJECT / "benchmarks" / "bench_steps.py"), name, str(folder), str(options.model)]
    measured: dict[str, float] = json.loads(run([*command, str(work)], environment).stdout)
    return measured


def run_training_way(way: str, network: str, folder: Path, work: Path, environment: dict[str, str]) -> dict[str, float]:
    """One way of bench_training.py, in a process of its own."""
    command = [sys.executable, str(PROJECT / "benchmarks" / "bench_training.py"), way, network, str(folder)]
    measured: dict[str, float] = json.loads(
        run([*command, str(work / "training")], environment).stdout.splitlines()[-1]
    )
    return measured


def run_cold_command(
    images: list[Path], options: argparse.Namespace, work: Path, environment: dict[str, str]
) -> dict[str, float]:
    """Time the command `classify` as a person calls it, with the start of Python and the loading of the model."""
    command = [sys.executable, "-m", "bloodcell", "classify", str(images[0].parent)]
    start = time.perf_counter()
    run([*command, "--model", options.model.name, "--out", str(work / "cold.csv")], environment)
    seconds = time.perf_counter() - start
    return {"images_per_s": len(images) / seconds, "cold_s": seconds}


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a process that must succeed; otherwise the bench ends with its output."""
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done


def write_report(samples: Samples, options: argparse.Namespace, n_images: int, load_before: float) -> str:
    """Render the whole of docs/benchmarks.md."""
    repeats = len(samples["decode"])
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.date.today().isoformat()}; do not edit. {n_images} images of "
        f"kaggle-wbc TRAIN, evenly over the classes; {repeats} rounds, all measurements in turns in each; medians, "
        "with the lowest and the highest in brackets.",
        "",
        f"Machine: {read_cpu_name()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + f". Load of the machine before the run: {load_before:.1f}. Model: {options.model.name}.",
        "",
        "## Bars",
        "",
        "| what | bar | measured | |",
        "|---|---|---|---|",
    ]
    for bar in BARS:
        sign = "at most" if bar.is_upper_limit else "at least"
        verdict = "not measured" if bar.figure not in samples else "met" if bar.is_met(samples) else "**missed**"
        limit, measured = format_with_unit(f"{bar.limit:g}", bar.unit), format_spread(samples, bar.figure, bar.unit)
        lines.append(f"| {bar.what} | {sign} {limit} | {measured} | {verdict} |")
    lines += ["", "## All measurements", "", "| what | measured |", "|---|---|"]
    lines += [f"| {what} | {format_spread(samples, figure, unit)} |" for what, figure, unit in ROWS]
    lines += ["", *NOTES, ""]
    report, times = "\n".join(lines), RESULTS_DIR / "test_times.json"
    return replace_section(report, render_section(json.loads(times.read_text()))) if times.exists() else report


def format_spread(samples: Samples, figure: str, unit: str) -> str:
    """Median and range, with as many digits as they deserve."""
    values = samples.get(figure)
    if not values:
        return "not measured"
    middle = statistics.median(values)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    low, high = min(values), max(values)
    return f"{format_with_unit(f'{middle:,.{digits}f}', unit)} ({low:,.{digits}f} to {high:,.{digits}f})"


def format_with_unit(number: str, unit: str) -> str:
    """`20 x` is written `20x`; a share has no unit."""
    return f"{number}{unit}" if unit in ("x", "") else f"{number} {unit}"


def read_cpu_name() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
