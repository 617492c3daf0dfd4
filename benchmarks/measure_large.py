"""Measure the memory and time that a large image takes: memory must not grow with its size.

    python benchmarks/measure_large.py --detector models/detector

Stitches tiled TIFFs of 5,000 and 10,000 px a side out of the fields of bccd, and looks at each in a process of its own,
whose peak is asked of the system: first for the scale, then for the cells. Writes docs/measured/large.json, unless other
sides are asked for. Takes 300 MB of disk for a while.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.imaging.large_image import open_large_image
from bloodcell.imaging.read import read_rgb

SIDES_PX = (5000, 10_000)
TILE_PX = 512
FIELD_HEIGHT_PX, FIELD_WIDTH_PX = 480, 640
BAR = 0.15  # by which memory may grow from the first side to the last


@lru_cache(64)
def read_field(path: Path) -> npt.NDArray[np.uint8]:
    return read_rgb(path.read_bytes())


def draw_tiles(paths: list[Path], side_px: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Cut the tiles of an image in which the fields stand side by side, over and over; no more than a few are in memory."""
    fields_a_row = -(-side_px // FIELD_WIDTH_PX)
    for top in range(0, side_px, TILE_PX):
        for left in range(0, side_px, TILE_PX):
            first_row, first_col = top // FIELD_HEIGHT_PX, left // FIELD_WIDTH_PX
            last_row, last_col = (top + TILE_PX - 1) // FIELD_HEIGHT_PX, (left + TILE_PX - 1) // FIELD_WIDTH_PX
            part = np.vstack(
                [
                    np.hstack(
                        [
                            read_field(paths[(row * fields_a_row + col) % len(paths)])
                            for col in range(first_col, last_col + 1)
                        ]
                    )
                    for row in range(first_row, last_row + 1)
                ]
            )
            at_row, at_col = top - first_row * FIELD_HEIGHT_PX, left - first_col * FIELD_WIDTH_PX
            yield np.ascontiguousarray(part[at_row : at_row + TILE_PX, at_col : at_col + TILE_PX])


def stitch(path: Path, side_px: int) -> None:
    import tifffile

    fields = sorted(require_path(DATA / "bccd" / "JPEGImages").glob("*.jpg"))
    tifffile.imwrite(
        path,
        draw_tiles(fields, side_px),
        shape=(side_px, side_px, 3),
        dtype=np.uint8,
        tile=(TILE_PX, TILE_PX),
        photometric="rgb",
        compression="zlib",
    )


def look_here(path: Path, folder: Path, n_threads: int) -> dict[str, Any]:
    """Measure the scale and find the cells in this process; what it took."""
    from bloodcell.inference.detector import Detector
    from bloodcell.inference.large_detection import detect_large, measure_large_scale

    detector = Detector(folder, n_threads)
    started_mb = round(psutil.Process().memory_info().rss / 1e6)
    with open_large_image(path) as image:
        began = time.time()
        scale = measure_large_scale(detector, image)
        scaled = time.time()
        if scale is None:
            raise SystemExit("error: the detector finds no red cells by which to measure the scale.")
        found = detect_large(detector, image, scale.red_cell_px)
        seconds = time.time() - scaled
        problems = len(image.problems)
    names = detector.model.class_names
    return {
        "red_cell_px": round(scale.red_cell_px, 2),
        "red_cells_measured": scale.n_red_cells,
        "cells": {name: int((found.class_index == index).sum()) for index, name in enumerate(names)},
        "damaged_tiles": problems,
        "library_mb": started_mb,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 * 1.048576),
        "scale_seconds": round(scaled - began, 1),
        "detection_seconds": round(seconds, 1),
    }


def measure_in_process(side_px: int, folder: Path, n_threads: int) -> dict[str, Any]:
    """Stitch an image and look at it in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="measure-large-") as temporary:
        path = Path(temporary) / "large.tif"
        stitch(path, side_px)
        command = [
            sys.executable,
            __file__,
            "--work",
            str(path),
            "--detector",
            str(folder),
            "--threads",
            str(n_threads),
        ]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        sizes = {"unpacked_mb": round(3 * side_px**2 / 1e6), "file_mb": round(path.stat().st_size / 1e6)}
    measured: dict[str, Any] = {"side_px": side_px} | sizes | json.loads(done.stdout.splitlines()[-1])
    print(f"{side_px} x {side_px} px: {measured}", file=sys.stderr)
    return measured


def main() -> None:
    """Measure all and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, default=PROJECT / "models" / "detector", help="folder of a detector")
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES_PX, help="of the images, in pixels; only shown")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = require_path(args.detector)
    if args.work:
        print(json.dumps(look_here(args.work, folder, args.threads)))
        return
    images = [measure_in_process(side_px, folder, args.threads) for side_px in args.sides]
    growth = images[-1]["peak_mb"] / images[0]["peak_mb"] - 1
    metrics = {
        "detector": folder.name,
        "threads": args.threads,
        "images": images,
        "growth": round(growth, 4),
        "bar": BAR,
        "is_met": growth <= BAR,
    }
    if tuple(args.sides) == SIDES_PX:
        write_measurement("large", metrics)
    else:
        print(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
