"""Measure the detector and the finder made of it, on images that nothing was trained or tuned on.

Fields of bccd and txl, single cells of four laboratories, stitched and disturbed fields, scale, speed.
"""

import argparse
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.labels import DETECTED
from bloodcell.datasets.boxes.box_sets import BoxedImage
from bloodcell.evaluation.boxes.field_metrics import measure_fields
from bloodcell.evaluation.boxes.matching import TrueBoxes, match_class
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.detections import Detections
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_finder import FieldFinder
from bloodcell.inference.field_scale import agree_scale, measure_scale
from bloodcell.training.samples.field_samples import measure_red_cells, open_box_source
from bloodcell.training.specs.detector_spec import BoxSourceSpec

Rgb = npt.NDArray[np.uint8]
LOWEST = np.full(3, 0.02)
BCCD_LABELS: Final = (("WBC", "WBC"), ("RBC", "RBC"), ("Platelets", "PLATELET"))
BCCD: Final = BoxSourceSpec("bccd", "bccd", "MIT", labels=BCCD_LABELS, list_file="ImageSets/Main/test.txt")
TXL: Final = BoxSourceSpec("txl", "txl", "MIT", names=DETECTED, folder="images/val")
BAR_COLOURS: Final = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (220, 20, 20),
    "green": (20, 180, 20),
    "blue": (20, 20, 220),
    "navy": (0, 0, 110),
    "magenta": (220, 20, 220),
    "yellow": (230, 220, 20),
    "cyan": (20, 210, 210),
}
N_SCALE_BATCHES: Final = 60


class Fields:
    """Labelled fields of one source, with the scale that their batches agree on; images of one size are a batch."""

    def __init__(self, source: BoxSourceSpec, detector: Detector) -> None:
        require_path(DATA / source.path)
        contents, boxes = open_box_source(source, DATA)
        with contents:
            self.rgb = [read_rgb(contents.read(image.file)) for image in boxes.images]
        self.images = boxes.images
        self.true = [_make_true(image) for image in boxes.images]
        self.scale = np.zeros(len(self.rgb))
        for size in {rgb.shape for rgb in self.rgb}:
            rows = [row for row, rgb in enumerate(self.rgb) if rgb.shape == size]
            agreed = agree_scale([measure_scale(detector, self.rgb[row]) for row in rows[:12]])
            self.scale[rows] = agreed.red_cell_px if agreed else np.nan


def _make_true(image: BoxedImage) -> TrueBoxes:
    boxes = np.array([box.box for box in image.boxes], np.float32).reshape(-1, 4)
    return TrueBoxes(boxes, np.array([DETECTED.index(box.label) for box in image.boxes], np.int64))


def measure_detection(fields: Fields, detector: Detector) -> dict[str, Any]:
    found = [detector.detect(rgb, px, LOWEST) for rgb, px in zip(fields.rgb, fields.scale, strict=True)]
    return measure_fields(fields.true, found, DETECTED, detector.model.thresholds).to_dict()


def measure_pipeline(fields: Fields, detector: Detector) -> dict[str, Any]:
    """Score the white cells of the whole finder, and those of the threshold finder alone on the same fields."""
    joint, alone = [], []
    for rgb, px in zip(fields.rgb, fields.scale, strict=True):
        joint.append(_to_detections(FieldFinder(detector, px).find(rgb).white_cells))
        alone.append(_to_detections(find_white_cells(rgb).boxes))
    return {"joint": _score_white(fields.true, joint), "threshold": _score_white(fields.true, alone)}


def _to_detections(boxes: Sequence[Box]) -> Detections:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.zeros(len(array), np.int64), np.ones(len(array), np.float32))


def _score_white(true: Sequence[TrueBoxes], found: Sequence[Detections]) -> dict[str, Any]:
    matches = [match_class(labelled, field, 0) for labelled, field in zip(true, found, strict=True)]
    n_true = sum(match.n_true for match in matches)
    return {
        "cells": n_true,
        "centre_recall": round(sum(match.n_centres for match in matches) / n_true, 4),
        "iou_50": round(sum(match.n_matched for match in matches) / n_true, 4),
        "false_per_field": round(sum(len(match.false) for match in matches) / len(matches), 4),
    }


def iterate_single_cells() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    folder = require_path(DATA / "kaggle-wbc" / "TRAIN")
    yield "kaggle-wbc TRAIN", [(path.parent.name, path.read_bytes()) for path in sorted(folder.glob("*/*.jpeg"))]
    for name in ("pbc", "raabin", "jhu-deepapl"):
        with zipfile.ZipFile(require_path(DATA / f"{name}.zip")) as archive:
            files = sorted(file for file in archive.namelist() if file.lower().endswith((".jpg", ".png")))
            yield name, [(file.split("/")[1].upper(), archive.read(file)) for file in files]


def measure_single_cells(name: str, images: list[tuple[str, bytes]], detector: Detector, step: int) -> dict[str, Any]:
    """Count the boxes on the labelled cell, and the white cells of the whole image; platelets are not white cells."""
    images = [(label, data) for label, data in images[::step] if label != "PLATELET"]
    rgbs = [read_rgb(data) for _, data in images]
    agreed = agree_scale([measure_scale(detector, rgb) for rgb in rgbs[:12]])
    finder = FieldFinder(detector, agreed.red_cell_px if agreed else None)
    with ThreadPoolExecutor(2) as pool:
        boxes = list(pool.map(lambda rgb: finder.find(rgb).white_cells, rgbs))
        alone = list(pool.map(lambda rgb: len(find_white_cells(rgb).boxes), rgbs))
    whole = np.array([len(of_image) for of_image in boxes])
    # Photographs of one cell have it in the middle; those of kaggle-wbc are shifted and turned.
    centred = np.array(
        [sum(_covers_middle(box, rgb) for box in of_image) for of_image, rgb in zip(boxes, rgbs, strict=True)]
    )
    metrics = {
        "images": len(rgbs),
        "red_cell_px": round(agreed.red_cell_px, 1) if agreed else None,
        "exactly_one": round(float((whole == 1).mean()), 4),
        "none": int((whole == 0).sum()),
        "several": int((whole > 1).sum()),
        "at_least_one": round(float((whole >= 1).mean()), 4),
        "threshold_exactly_one": round(float((np.array(alone) == 1).mean()), 4),
    }
    if name != "kaggle-wbc TRAIN":
        metrics["one_box_on_the_middle"] = round(float((centred == 1).mean()), 4)
    return metrics


def _covers_middle(box: Box, rgb: Rgb) -> bool:
    row, col = rgb.shape[0] / 2, rgb.shape[1] / 2
    return bool(box.top <= row < box.bottom and box.left <= col < box.right)


def measure_stitched(fields: Fields, detector: Detector) -> dict[str, Any]:
    """Stitch fields of bccd test to squares of n x n; the scale of each is measured on itself."""
    results = {}
    for n in range(2, 6):
        hits = total = 0
        for start in range(0, len(fields.rgb) - n * n + 1, n * n):
            rows = list(range(start, start + n * n))
            rgb = np.concatenate(
                [np.concatenate([fields.rgb[row] for row in rows[i * n : (i + 1) * n]], axis=1) for i in range(n)]
            )
            height, width = fields.rgb[start].shape[:2]
            white = []
            for position, row in enumerate(rows):
                true = fields.true[row]
                shift = np.array([position // n * height, position % n * width] * 2, np.float32)
                white.append(true.boxes[true.class_index == 0] + shift)
            boxes = np.concatenate(white)
            true = TrueBoxes(boxes, np.zeros(len(boxes), np.int64))
            measured = measure_scale(detector, rgb)
            finder = FieldFinder(detector, measured.red_cell_px if measured else None)
            match = match_class(true, _to_detections(finder.find(rgb).white_cells), 0)
            hits, total = hits + match.n_centres, total + match.n_true
        results[f"{n}x{n}"] = {"cells": total, "centre_recall": round(hits / total, 4)}
    return results


def measure_disturbed(fields: Fields, detector: Detector) -> dict[str, Any]:
    """Find the white cells of the first 60 fields of bccd test again after each disturbance."""
    disturbances: dict[str, Callable[[Rgb], Rgb]] = {"plain": np.asarray}
    disturbances |= {f"scale bar, {name}": partial(_draw_bar, colour=colour) for name, colour in BAR_COLOURS.items()}
    disturbances |= {f"gain {gain}": partial(_brighten, gain=gain) for gain in (0.6, 0.8, 1.2, 1.4, 1.6)}
    disturbances |= {"gray": _make_gray, "eyepiece": _draw_eyepiece}
    results = {}
    for name, disturb in disturbances.items():
        joint, alone = [], []
        rgbs = [np.asarray(disturb(rgb), np.uint8) for rgb in fields.rgb[:60]]
        agreed = agree_scale([measure_scale(detector, rgb) for rgb in rgbs[:12]])
        finder = FieldFinder(detector, agreed.red_cell_px if agreed else None)
        for rgb in rgbs:
            joint.append(_to_detections(finder.find(rgb).white_cells))
            alone.append(_to_detections(find_white_cells(rgb).boxes))
        true = fields.true[:60]
        results[name] = {"joint": _score_white(true, joint), "threshold": _score_white(true, alone)["centre_recall"]}
    return results


def _brighten(rgb: Rgb, gain: float) -> Rgb:
    return np.asarray(np.clip(rgb * gain, 0, 255), np.uint8)


def _make_gray(rgb: Rgb) -> Rgb:
    return np.asarray(np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2), np.uint8)


def _draw_bar(rgb: Rgb, colour: tuple[int, int, int]) -> Rgb:
    image = rgb.copy()
    cv2.rectangle(image, (460, 440), (610, 452), colour, -1)
    cv2.putText(image, "10 um", (490, 432), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
    return image


def _draw_eyepiece(rgb: Rgb) -> Rgb:
    """Put the field into a black picture, inside the disc that just holds it."""
    height, width = rgb.shape[:2]
    side = int(np.hypot(height, width)) + 20
    image = np.zeros((side, side, 3), np.uint8)
    rows, cols = np.ogrid[:height, :width]
    is_seen = (rows - height / 2) ** 2 + (cols - width / 2) ** 2 <= (side / 2) ** 2
    image[:height, :width] = np.where(is_seen[..., None], rgb, 0)
    return image


def measure_scale_error(fields: Fields, detector: Detector) -> dict[str, Any]:
    """Resize batches of 10 fields by one factor from 0.5 to 2 and compare the agreed scale with the labelled red cells."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(N_SCALE_BATCHES):
        factor = float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
        rows = rng.choice(len(fields.rgb), 10, replace=False)
        measured, true_px = [], []
        for row in rows:
            rgb, image = fields.rgb[row], fields.images[row]
            size = (round(rgb.shape[1] * factor), round(rgb.shape[0] * factor))
            resized = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
            measured.append(measure_scale(detector, np.asarray(resized, np.uint8)))
            red = [box.box for box in image.boxes if box.label == "RBC"]
            if diameter := measure_red_cells(red, image.height_px, image.width_px):
                true_px.append(diameter * factor)
        agreed = agree_scale(measured)
        errors.append(np.inf if agreed is None else abs(np.log(agreed.red_cell_px / np.median(true_px))))
    return {
        "batches": N_SCALE_BATCHES,
        "within_7_percent": round(float((np.array(errors) <= np.log(1.07)).mean()), 4),
        "median_error": round(float(np.median(errors)), 4),
    }


def measure_speed(detector: Detector) -> dict[str, Any]:
    """Time one field of 640 x 480 on one core, decoding and all finding in, beside the threshold finder; medians of 60."""
    cv2.setNumThreads(1)
    folder = require_path(DATA / "bccd")
    names = (folder / "ImageSets" / "Main" / "test.txt").read_text().split()[:60]
    files = [(folder / "JPEGImages" / f"{name}.jpg").read_bytes() for name in names]
    finder = FieldFinder(detector, 103.0)
    times: dict[str, list[float]] = {"joint": [], "threshold": []}
    for data in files * 2:
        for name, find in (("joint", finder.find), ("threshold", find_white_cells)):
            started = time.perf_counter()
            find(read_rgb(data))
            times[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(values[len(files) :])) for name, values in times.items()}
    return {
        "joint_ms": round(1000 * medians["joint"], 1),
        "threshold_ms": round(1000 * medians["threshold"], 1),
        "ratio": round(medians["joint"] / medians["threshold"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", type=Path, default=PROJECT / "models" / "detector")
    parser.add_argument("--step", type=int, default=1, help="take every N-th image of single cells")
    args = parser.parse_args()
    detector = Detector(args.detector)
    bccd, txl = Fields(BCCD, detector), Fields(TXL, detector)
    write_measurement(
        "detector",
        {
            "parameters": detector.model.metrics.get("parameters"),
            "onnx_mb": round(detector.model.network_file.stat().st_size / 1e6, 1),
            "bccd test": {"detector": measure_detection(bccd, detector), "white": measure_pipeline(bccd, detector)},
            "txl val": {"detector": measure_detection(txl, detector), "white": measure_pipeline(txl, detector)},
            "stitched": measure_stitched(bccd, detector),
            "disturbed": measure_disturbed(bccd, detector),
            "scale": {
                "bccd test": measure_scale_error(bccd, detector),
                "txl val": None,
            },
            "speed": measure_speed(detector),
            "single cells": {
                name: measure_single_cells(name, images, detector, args.step) for name, images in iterate_single_cells()
            },
        },
    )


if __name__ == "__main__":
    main()
