"""Measure the fit of a scaling: peak memory at 1,000 and at 10,000 crops, and how far it is from scikit-learn's.

    python benchmarks/measure_scaling.py

The crops are the middle squares of kaggle-wbc TRAIN at 80 px, decoded as they are asked for; the first images come a
second time where TRAIN is too small. Each fit that is measured runs in a process of its own.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measurements import DATA, require_path, write_measurement

from bloodcell.imaging.read import read_rgb
from bloodcell.imaging.scale import FITTED, fit_scaling

SIDE_PX, BATCH = 80, 64
SIZES = (1_000, 10_000)
SAMPLE = 1_000


def iterate_crops(n: int) -> Iterator[np.ndarray]:
    """Batches of n crops in all."""
    files = sorted(require_path(DATA / "kaggle-wbc" / "TRAIN").rglob("*.jpeg"))
    batch = []
    for file in itertools.islice(itertools.cycle(files), n):
        rgb = read_rgb(file.read_bytes())
        edge = (rgb.shape[1] - rgb.shape[0]) // 2
        square = np.ascontiguousarray(rgb[:, edge : edge + rgb.shape[0]])
        batch.append(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def read_memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process, from Linux; getrusage's peak would hold the parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"error: /proc/self/status has no {field}: measure on Linux.")


def measure_fit(name: str, n: int) -> dict[str, Any]:
    """In this process: fit on n crops."""
    list(iterate_crops(BATCH))  # decoder and libraries are in memory before the fit
    before, started = read_memory_mb("VmRSS"), time.perf_counter()
    images = fit_scaling(name, iterate_crops(n)).images
    seconds = time.perf_counter() - started
    return {
        "crops": images,
        "before_mb": round(before, 1),
        "peak_mb": round(read_memory_mb("VmHWM"), 1),
        "seconds_with_decoding": round(seconds, 1),
    }


def compare_with_scikit_learn(sample: np.ndarray) -> dict[str, Any]:
    """Mean, deviation and scaled levels against StandardScaler, the crops in batches of uneven size."""
    from sklearn.preprocessing import StandardScaler

    found = {}
    for name in FITTED:
        ours = fit_scaling(name, np.array_split(sample, 29))
        columns = {"pixel": (len(sample), -1), "channel": (-1, 3), "global": (-1, 1)}[name]
        levels = sample.reshape(columns).astype(np.float64)
        theirs = StandardScaler().fit(levels)
        found[name] = {
            "mean": float(np.abs(ours.mean.ravel() - theirs.mean_).max()),
            "sd": float(np.abs(ours.sd.ravel() - theirs.scale_).max()),
            "scaled_levels": float(np.abs(ours.apply(sample).reshape(columns) - theirs.transform(levels)).max()),
            "least_sd": round(float(ours.sd.min()), 3),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "N"), help="fit once, here, and print the figures")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure_fit(args.one[0], int(args.one[1]))))
        return
    memory: dict[str, list[dict[str, float]]] = {}
    for name in FITTED:
        for n in SIZES:
            command = [sys.executable, __file__, "--one", name, str(n)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            memory.setdefault(name, []).append(json.loads(done.stdout))
    sample = np.concatenate(list(iterate_crops(SAMPLE)))
    differences = compare_with_scikit_learn(sample)
    write_measurement(
        "scaling",
        {
            "side_px": SIDE_PX,
            "batch": BATCH,
            "memory": memory,
            "sample": len(sample),
            "largest_difference_to_standard_scaler": differences,
        },
    )


if __name__ == "__main__":
    main()
