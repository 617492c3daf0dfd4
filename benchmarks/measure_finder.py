"""Measure the white-cell finder: bccd, txl, kaggle-wbc TRAIN, wbc-masks."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, require_path, write_measurement

from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb

Field = tuple[Path, list[Box]]


def read_bccd_fields(split: str) -> Iterator[Field]:
    folder = require_path(DATA / "bccd")
    for name in (folder / "ImageSets" / "Main" / f"{split}.txt").read_text().split():
        root = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot()
        boxes = [
            Box(*(int(float(labelled.findtext(f"bndbox/{side}", ""))) for side in ("ymin", "xmin", "ymax", "xmax")))
            for labelled in root.iter("object")
            if labelled.findtext("name") == "WBC"
        ]
        yield folder / "JPEGImages" / f"{name}.jpg", boxes


def read_txl_fields(split: str) -> Iterator[Field]:
    folder = require_path(DATA / "txl")
    for path in sorted((folder / "images" / split).iterdir()):
        height, width = read_rgb(path.read_bytes()).shape[:2]
        boxes = []
        for line in (folder / "labels" / split / f"{path.stem}.txt").read_text().splitlines():
            kind, x, y, w, h = map(float, line.split())
            if kind == 0:
                edges = ((y - h / 2) * height, (x - w / 2) * width, (y + h / 2) * height, (x + w / 2) * width)
                boxes.append(Box(*(round(edge) for edge in edges)))
        yield path, boxes


def score_fields(fields: list[Field]) -> dict[str, Any]:
    """Count false boxes: a found box is false if its centre lies in no true box and it has IoU < 0.3 with all of them."""
    n_true = n_hit = n_met = n_false = 0
    for path, true in fields:
        found = find_white_cells(read_rgb(path.read_bytes())).boxes
        n_true += len(true)
        n_hit += sum(any(_contains_centre(box, other) for other in found) for box in true)
        n_met += sum(any(iou(box, other) >= 0.5 for other in found) for box in true)
        n_false += sum(
            not any(_contains_centre(box, other) or iou(box, other) >= 0.3 for box in true) for other in found
        )
    return {
        "fields": len(fields),
        "boxes": n_true,
        "centre_held": round(n_hit / n_true, 4),
        "iou_50": round(n_met / n_true, 4),
        "false_per_field": round(n_false / len(fields), 4),
    }


def _contains_centre(box: Box, found: Box) -> bool:
    row, col = found.centre
    return box.top <= row <= box.bottom and box.left <= col <= box.right


def score_single(paths: list[Path]) -> dict[str, Any]:
    with ThreadPoolExecutor(2) as pool:
        counts = np.array(list(pool.map(lambda path: len(find_white_cells(read_rgb(path.read_bytes())).boxes), paths)))
    return {
        "images": len(paths),
        "exactly_one": round(float((counts == 1).mean()), 4),
        "none": int((counts == 0).sum()),
        "several": int((counts > 1).sum()),
    }


def main() -> None:
    trainval, test = list(read_bccd_fields("trainval")), list(read_bccd_fields("test"))
    txl_train, txl_val = list(read_txl_fields("train")), list(read_txl_fields("val"))
    figures = {
        "bccd trainval": score_fields(trainval),
        "bccd test": score_fields(test),
        "bccd all": score_fields(trainval + test),
        "txl train": score_fields(txl_train),
        "txl val": score_fields(txl_val),
        "txl all": score_fields(txl_train + txl_val),
        "kaggle-wbc TRAIN": score_single(sorted(require_path(DATA / "kaggle-wbc" / "TRAIN").glob("*/*.jpeg"))),
        "wbc-masks": score_single(sorted(require_path(DATA / "wbc-masks" / "images").glob("*.bmp"))),
    }
    write_measurement("finder", figures)


if __name__ == "__main__":
    main()
