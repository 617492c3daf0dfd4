"""Measure what one image costs each network of the zoo: size of its ONNX file and time on one processor core.

    python benchmarks/measure_networks.py            # a few minutes, the large ones are built and exported whole
    python benchmarks/measure_networks.py --only cnn fcn

Writes docs/measured/networks.json, which `python -m bloodcell networks` and the page for training read. Each network has
its family's own size, four classes and random weights: time does not depend on their values. --only keeps the others.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from bloodcell.networks.network_table import TIMES_FILE
from bloodcell.networks.registry import BY_MASKS, NETWORKS, build_default_settings, get_builder, get_network

N_CLASSES = 4
WARM_UP_RUNS = 3
MIN_RUNS, MAX_RUNS, MIN_TIME_S = 5, 200, 4.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[entry.name for entry in NETWORKS])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure_network(args.one)))
        return 0
    before = json.loads(TIMES_FILE.read_text(encoding="utf-8"))["networks"] if TIMES_FILE.is_file() else {}
    figures = {}
    for entry in NETWORKS:
        if args.only and entry.name not in args.only and entry.name in before:
            figures[entry.name] = before[entry.name]
            continue
        # In a process of its own, so that the memory of one does not slow the next.
        command = [sys.executable, __file__, "--one", entry.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[entry.name] = json.loads(done.stdout.splitlines()[-1])
        print(entry.name, figures[entry.name], file=sys.stderr)
    content = {
        "how": "ONNX Runtime, one thread, one image at a time, at each network's own size; processor time, median",
        "processor": _read_processor_name(),
        "cores": os.cpu_count(),
        "onnxruntime": onnxruntime.__version__,
        "networks": figures,
    }
    TIMES_FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def measure_network(name: str) -> dict[str, float | int]:
    """Export one network and time it."""
    from bloodcell.training.fitting.export import export_mask_onnx, export_onnx

    settings = build_default_settings(name, N_CLASSES)
    crops = np.random.default_rng(0).integers(0, 256, (1, settings.height_px, settings.width_px, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write = export_mask_onnx if get_network(name).trained_by == BY_MASKS else export_onnx
        write(get_builder(name)(settings), path, crops)
        times_ms = _measure_times_ms(path, crops.astype(np.float32))
        size_mb = path.stat().st_size / 1e6
    return {
        "cpu_ms": round(statistics.median(times_ms), 2),
        "least_ms": round(min(times_ms), 2),
        "runs": len(times_ms),
        "onnx_mb": round(size_mb, 2),
    }


def _measure_times_ms(path: Path, batch: np.ndarray) -> list[float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: batch}
    for _ in range(WARM_UP_RUNS):
        session.run(None, feed)
    times_ms: list[float] = []
    started = time.perf_counter()
    while len(times_ms) < MAX_RUNS:
        # Of the processor, not of the clock: others may be at work on this machine.
        before = time.process_time()
        session.run(None, feed)
        times_ms.append(1000 * (time.process_time() - before))
        if len(times_ms) >= MIN_RUNS and time.perf_counter() - started > MIN_TIME_S:
            break
    return times_ms


def _read_processor_name() -> str:
    """Return the processor's name, as Linux tells it, or what Python knows."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
