"""Measure what it costs to register a dataset, in a process of its own for each; writes docs/measured/datasets.json.

The bar: 12,000 images of 320x240 within 60 s and 500 MB. Memory is the peak of the whole process, libraries included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.errors import StoppedError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.changes import check_dataset_state
from bloodcell.datasets.catalog.library import register_listing
from bloodcell.datasets.catalog.scan import scan_images
from bloodcell.datasets.labels.layouts import Listing
from bloodcell.datasets.labels.listing import list_images

SETS = ("kaggle-wbc", "pbc.zip", "malaria.zip")
BAR_S = 60
BAR_MB = 500


def measure_peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def measure_dataset(path: Path) -> dict[str, Any]:
    """Register one dataset in a workspace that is thrown away."""
    # Seconds mean little where other work holds the cores: cpu_s and the load tell.
    figures: dict[str, Any] = {"before_mb": measure_peak_mb(), "load_average": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        listing = list_images(path)
        figures["list_s"] = round(time.perf_counter() - began, 2)
        table = scan_images(listing)
        figures["scan_s"] = round(time.perf_counter() - began - figures["list_s"], 2)
        dataset = register_listing("measured", listing, table, Settings(home=Path(home), db_url="sqlite://"))
        figures["total_s"] = round(time.perf_counter() - began, 2)
        figures["cpu_s"] = round(time.process_time(), 2)
        figures["peak_mb"] = measure_peak_mb()
        began = time.perf_counter()
        figures["state"] = check_dataset_state(dataset).kind
        figures["state_s"] = round(time.perf_counter() - began, 2)
    figures["stop_s"] = measure_stop_delay_s(listing)
    sizes = sorted(set(zip(table["width_px"].tolist(), table["height_px"].tolist(), strict=True)))
    return {
        "images": dataset.n_images,
        "classes": len(dataset.class_names),
        "splits": list(dataset.splits),
        "unreadable": dataset.n_unreadable,
        "problems": dataset.n_problems,
        "sizes": [f"{width}x{height}" for width, height in sizes[:3]] + ["..."] * (len(sizes) > 3),
        "distinct_files": int(table["sha256"].nunique()),
        **figures,
    }


def measure_stop_delay_s(listing: Listing) -> float:
    """Seconds from saying stop, 300 images into a scan, until it has stopped."""
    asked = 0
    said = 0.0

    def should_stop() -> bool:
        nonlocal asked, said
        asked += 1
        if asked <= 300:
            return False
        said = time.perf_counter()
        return True

    try:
        scan_images(listing, should_stop=should_stop)
    except StoppedError:
        return round(time.perf_counter() - said, 3)
    raise SystemExit("error: the scan did not stop.")


def main() -> None:
    """Measure each set in a process of its own."""
    if len(sys.argv) > 1:
        print(json.dumps(measure_dataset(Path(sys.argv[1]))))
        return
    figures: dict[str, Any] = {"bar": {"images": 12_000, "seconds": BAR_S, "mb": BAR_MB}}
    for name in SETS:
        command = [sys.executable, __file__, str(require_path(DATA / name))]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        figures[name] = json.loads(done.stdout)
    first = figures["kaggle-wbc"]
    figures["bar"]["met"] = first["images"] >= 12_000 and first["total_s"] <= BAR_S and first["peak_mb"] <= BAR_MB
    write_measurement("datasets", figures)


if __name__ == "__main__":
    main()
