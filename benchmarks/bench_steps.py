"""The single measurements of the bench; each runs in a process of its own and prints one JSON object.

Called by bench.py: python benchmarks/bench_steps.py STEP IMAGES_DIR MODEL_DIR WORK_DIR
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

DECODE_PASSES = 8  # 500 small JPEGs take a tenth of a second, too little to time once
PLAIN_LOOP_IMAGES = 60  # keras predict is slow: a part of the images tells its rate
WARM_UP_IMAGES = 32

Measurements = dict[str, float]


def read_files(images_dir: Path) -> list[bytes]:
    """Bytes of all images, in the order of their names."""
    return [path.read_bytes() for path in sorted(images_dir.iterdir())]


def decode(images_dir: Path, _model_dir: Path, _work_dir: Path) -> Measurements:
    """Images a second by nothing but decoding, from memory, one thread a core."""
    cv2.setNumThreads(1)
    buffers = [np.frombuffer(data, np.uint8) for data in read_files(images_dir)] * DECODE_PASSES

    def one(buffer: np.ndarray) -> None:
        if cv2.imdecode(buffer, cv2.IMREAD_COLOR) is None:
            raise SystemExit("error: one of the images cannot be decoded")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, buffers[: len(buffers) // DECODE_PASSES]))
        start = time.perf_counter()
        list(pool.map(one, buffers))
        return {"images_per_s": len(buffers) / (time.perf_counter() - start)}


def whole_path(images_dir: Path, model_dir: Path, work_dir: Path) -> Measurements:
    """Images a second of the command `classify`, files to CSV, in a process that has classified before."""
    from bloodcell.cli.main import main

    paths = [str(path) for path in sorted(images_dir.iterdir())]
    out = work_dir / "warm.csv"
    arguments = ["--model", model_dir.name, "--out", str(out)]
    if main(["classify", *paths[:WARM_UP_IMAGES], *arguments]) != 0:
        raise SystemExit("error: classify failed")
    start = time.perf_counter()
    main(["classify", str(images_dir), *arguments])
    seconds = time.perf_counter() - start
    if len(out.read_text(encoding="utf-8-sig").splitlines()) != len(paths) + 1:
        raise SystemExit("error: the CSV does not have one row an image")
    return {"images_per_s": len(paths) / seconds}


def plain_loop(images_dir: Path, model_dir: Path, _work_dir: Path) -> Measurements:
    """Images a second of the loop that people write: PIL, resize, keras predict, one image after the other."""
    import keras
    from PIL import Image

    model = keras.models.load_model(model_dir / "model.keras", compile=False)
    side_px = model.input_shape[1]
    paths = sorted(images_dir.iterdir())
    chosen = paths[:: max(1, len(paths) // PLAIN_LOOP_IMAGES)][:PLAIN_LOOP_IMAGES]

    def one(path: Path) -> int:
        with Image.open(path) as picture:
            crop = np.asarray(picture.convert("RGB").resize((side_px, side_px)), np.float32)
        return int(np.argmax(model.predict(crop[None], verbose=0)["logits"]))

    for path in chosen[:5]:
        one(path)
    start = time.perf_counter()
    for path in chosen:
        one(path)
    return {"images_per_s": len(chosen) / (time.perf_counter() - start), "images": len(chosen)}


def network(images_dir: Path, model_dir: Path, _work_dir: Path) -> Measurements:
    """Crops a second of the network alone, the crops lying ready."""
    from bloodcell.imaging.find import find_white_cells
    from bloodcell.imaging.read import read_rgb
    from bloodcell.inference.engine import Engine

    engine = Engine(model_dir)
    crops = []
    for data in read_files(images_dir):
        rgb = read_rgb(data)
        finding = find_white_cells(rgb)
        crops += [engine.framing.make_input(rgb, box, finding.background_rgb) for box in finding.boxes]
    stacked = np.stack(crops)
    engine.classify(stacked[:WARM_UP_IMAGES])
    start = time.perf_counter()
    engine.classify(stacked)
    return {"images_per_s": len(stacked) / (time.perf_counter() - start)}


def finder(fields_dir: Path, _model_dir: Path, _work_dir: Path) -> Measurements:
    """Milliseconds a field of the finder on one thread, decoding apart: median and 95th percentile of the fields."""
    from bloodcell.imaging.find import find_white_cells
    from bloodcell.imaging.read import read_rgb

    cv2.setNumThreads(1)
    fields = [read_rgb(data) for data in read_files(fields_dir)]
    find_white_cells(fields[0])
    times_ms = []
    for rgb in fields:
        start = time.perf_counter()
        find_white_cells(rgb)
        times_ms.append(1000 * (time.perf_counter() - start))
    return {
        "median_ms": statistics.median(times_ms),
        "p95_ms": float(np.percentile(times_ms, 95)),
        "fields": len(fields),
    }


STEPS: dict[str, Callable[[Path, Path, Path], Measurements]] = {
    step.__name__: step for step in (decode, whole_path, plain_loop, network, finder)
}

if __name__ == "__main__":
    step_name, images, model, work = sys.argv[1:]
    print(json.dumps(STEPS[step_name](Path(images), Path(model), Path(work))))
