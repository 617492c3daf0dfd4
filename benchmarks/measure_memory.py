"""Measure the memory that k-fold and trials take: it must not grow with the number of images, nor with that of fits.

    python benchmarks/measure_memory.py

Draws a few images of 240x320 px, lays them out as 1,000 and as 10,000 files in a temporary folder, and trains two
folds of each at full resolution in a process of its own, whose peak is asked of the system. The network is as small as
can be and an epoch has few batches, as memory is the point; every image is still cut, stored, scaled and answered for.
Then eight trials of small crops in one process, with the memory after each. Writes docs/measured/training_memory.json.
Takes 3 GB of disk for a while.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from measurements import PROJECT, write_measurement

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.augment import NO_AUGMENTATION
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import TrialsSpec

HEIGHT_PX, WIDTH_PX = 240, 320
SIZES = (1000, 10_000)
N_DRAWN = 10  # images a class; the files are links to them
N_TRIALS = 8
BAR = 0.10

K_FOLD_SPEC = TrainSpec(
    name="memory",
    sources=(SourceSpec("cells", "cells", groups="each"),),
    stage_widths=(4, 4),
    input="image",
    height_px=HEIGHT_PX,
    width_px=WIDTH_PX,
    scaling="channel",
    epochs=1,
    images_per_epoch=160,
    batch_size=32,
    unknown_share=0.0,
    augment=NO_AUGMENTATION,
    folds=2,
)
TRIALS_SPEC = TrainSpec(
    name="fits",
    sources=K_FOLD_SPEC.sources,
    stage_widths=(8, 12),
    height_px=32,
    width_px=32,
    epochs=2,
    images_per_epoch=320,
    batch_size=32,
    folds=2,
)


class MemoryWatch(Control):
    """Notes the memory after the last epoch of each fit."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.rss_mb: list[int] = []

    def on_epoch(self, row: dict[str, Any]) -> None:
        """Note the memory after the last epoch."""
        if row["epoch"] == self.epochs:
            self.rss_mb.append(round(psutil.Process().memory_info().rss / 1e6))

    def log(self, line: str) -> None:
        """Print a line."""
        print(f"  {line}", file=sys.stderr)


def lay_out(folder: Path, n: int) -> None:
    """Make `n` files, n / 4 a class, as hard links to a few drawn images."""
    for index, name in enumerate(WHITE_CELLS_4):
        (folder / "cells" / name).mkdir(parents=True)
        for number in range(N_DRAWN):
            field = draw_field(100 * index + number, 1, HEIGHT_PX, WIDTH_PX, class_names=[name])
            (folder / f"{name}-{number}.png").write_bytes(encode_png(field.rgb))
        for number in range(n // len(WHITE_CELLS_4)):
            os.link(folder / f"{name}-{number % N_DRAWN}.png", folder / "cells" / name / f"{number}.png")


def train_here(kind: str, folder: Path) -> dict[str, Any]:
    """Train in this process; what it took."""
    from bloodcell.experiments.k_fold import run_k_fold
    from bloodcell.experiments.trials import run_trials

    began = time.time()
    base_mb = round(psutil.Process().memory_info().rss / 1e6)
    watch = MemoryWatch((K_FOLD_SPEC if kind == "kfold" else TRIALS_SPEC).epochs)
    if kind == "kfold":
        run_k_fold(folder / "run", K_FOLD_SPEC, folder, folder / "cache", watch)
    else:
        run_trials(folder / "run", TrialsSpec(TRIALS_SPEC, N_TRIALS), folder, folder / "cache", watch)
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 * 1.048576)
    seconds = round(time.time() - began)
    return {"library_mb": base_mb, "after_each_fit_mb": watch.rss_mb, "peak_mb": peak_mb, "seconds": seconds}


def measure_in_process(kind: str, n: int) -> dict[str, Any]:
    """Lay out the files and train in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="measure-memory-") as temporary:
        lay_out(Path(temporary), n)
        command = [sys.executable, __file__, "--work", kind, "--folder", temporary]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{kind} of {n} images: {measured}", file=sys.stderr)
    return {"images": n} | measured


def main() -> None:
    """Measure all and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=SIZES, help="numbers of images to compare")
    parser.add_argument("--work", choices=("kfold", "trials"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        print(json.dumps(train_here(args.work, args.folder)))
        return
    k_fold = [measure_in_process("kfold", n) for n in args.sizes]
    trials = measure_in_process("trials", 400)
    small, large = (one["peak_mb"] for one in k_fold)
    fits = trials["after_each_fit_mb"]
    write_measurement(
        "training_memory",
        {
            "k_fold": k_fold,
            "growth": round(large / small - 1, 4),
            "bar": BAR,
            "is_met": large / small - 1 <= BAR,
            "network_input": [HEIGHT_PX, WIDTH_PX, 3],
            "trials": trials,
            "growth_a_fit_mb": round((fits[-1] - fits[1]) / (len(fits) - 2), 1),
        },
    )


if __name__ == "__main__":
    main()
