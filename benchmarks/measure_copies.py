"""Measure the search for copies, and what leaks from TRAIN to TEST of kaggle-wbc; writes docs/measured/copies.json.

Run from the project folder: python benchmarks/measure_copies.py [--sheets FOLDER] [--csv FOLDER] [--only NAME ...]

The truth for TEST is made by another matcher than the one measured: every image of TEST goes to the original of
TEST_SIMPLE on which most ORB points fall. Folder names judge the groups and never make them. Some originals are
photographs of one cell, taken twice; the search is to join them, so the index is given with every original its own
and with such originals as one. Every search runs in a process of its own, whose time and memory are told.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measurements import DATA, PROJECT, RESULTS_DIR, require_path, write_measurement
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.known_groups import encode_groups_csv
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.copies.matching import Likeness
from bloodcell.datasets.labels.listing import list_sorted_records
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_rgb

KAGGLE = DATA / "kaggle-wbc"
PHOTOGRAPHS = {
    "TRAIN": dict(zip(WHITE_CELLS_4, (75, 27, 16, 159), strict=True)),
    "TEST": dict(zip(WHITE_CELLS_4, (13, 6, 4, 48), strict=True)),
}
PARTS = ("test", "train", "pbc", "leaks")
SHUFFLE_SEED = 0
ORB_POINTS = 200
ORB_LEVEL = 7  # OpenCV's own 20 leaves a quarter of the pale images without a match
ORB_INLIERS = 20
OrbPoints = tuple[np.ndarray, np.ndarray | None]
SAME_FIELD_OVERLAP = 0.5
N_REVIEWED_PAIRS = 200
PAIRS_PER_SHEET = 50
SHEET_COLUMNS = 5
TILE_PX = 150


def main() -> None:
    """Measure each part in a process of its own and keep the metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sheets", type=Path, help="write contact sheets of joined pbc pairs and of leaks into this folder"
    )
    parser.add_argument(
        "--csv", type=Path, help="write groups_train.csv, groups_test.csv and leaks.csv into this folder"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the other figures stay as they are")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for folder in (options.sheets, options.csv):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    if options.part:
        cv2.setNumThreads(1)  # grouping brings its own threads
        measure = {"test": measure_test, "train": measure_train, "pbc": measure_pbc, "leaks": measure_leaks}
        print(json.dumps(measure[options.part](options)))
        return
    kept = RESULTS_DIR / "copies.json"
    figures = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for part in options.only:
        figures[part] = run_in_process(part, options)
        write_measurement("copies", {name: figures[name] for name in PARTS if name in figures})


def run_in_process(part: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run this script for one part; its metrics are its last line."""
    command = [sys.executable, __file__, "--part", part]
    for name in ("sheets", "csv"):
        if getattr(options, name) is not None:
            command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=PROJECT)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def measure_train(options: argparse.Namespace) -> dict[str, Any]:
    """Group TRAIN: the bars are 10 minutes on two cores and 2 GB."""
    _, files, groups, _, cost = group_set(require_path(KAGGLE / "TRAIN"))
    if options.csv:
        write_groups(options.csv / "groups_train.csv", files, groups)
    return summarise_groups("TRAIN", files, groups) | cost


def measure_test(options: argparse.Namespace) -> dict[str, Any]:
    """Group TEST in shuffled order without its names, and compare with the originals."""
    source, files, groups, _, cost = group_set(require_path(KAGGLE / "TEST"), shuffled=True)
    if options.csv:
        write_groups(options.csv / "groups_test.csv", files, groups)
    return summarise_groups("TEST", files, groups) | cost | compare_with_originals(source, files, groups)


def measure_pbc(options: argparse.Namespace) -> dict[str, Any]:
    """Group pbc, where nearly every image is a cell of its own, and draw the joined pairs for a person to look at."""
    source, files, groups, compared, cost = group_set(require_path(DATA / "pbc.zip"))
    pairs = sorted((files[a], files[b]) for (a, b), likeness in compared.items() if likeness.is_same_source)
    labels = [Path(file).parent.name for file in files]
    sizes = np.bincount(groups)
    drawn = np.random.default_rng(0).permutation(len(pairs))[:N_REVIEWED_PAIRS]
    sampled = [pairs[k] for k in sorted(drawn)]
    if options.sheets:
        pictures = [(read_rgb(source.read(a)), read_rgb(source.read(b))) for a, b in sampled]
        captions = [f"{Path(a).stem} {Path(b).stem}" for a, b in sampled]
        write_sheets(options.sheets, "pbc", pictures, captions)
    return {
        "images": len(files),
        "groups": len(sizes),
        "groups_of_several": int((sizes > 1).sum()),
        "images_in_them": int(sizes[sizes > 1].sum()),
        "size_max": int(sizes.max()),
        "mixed": [
            [files[i] for i in np.flatnonzero(groups == group)]
            for group in np.flatnonzero(sizes > 1)
            if len({labels[i] for i in np.flatnonzero(groups == group)}) > 1
        ],
        "joined_pairs": len(pairs),
        "sampled_pairs": len(sampled),
    } | cost


def measure_leaks(options: argparse.Namespace) -> dict[str, Any]:
    """Find the cells of TRAIN that TEST shows too."""
    sets = []
    for name in ("TRAIN", "TEST"):
        source = Contents(require_path(KAGGLE / name))
        sets.append(ImageSet(name, source, list_sorted_records(source.path)))
    begun = time.perf_counter(), time.process_time()
    with tqdm(file=sys.stderr) as bar:
        report = find_leaks(sets, lambda done, _: bar.update(done - bar.n))
    cost = measure_cost(*begun)
    if options.csv:
        (options.csv / "leaks.csv").write_bytes(report.encode_csv())
    shown = report.pick_clearest_pairs()
    if options.sheets:
        images = [[sets[report.set_of[i]].source.read(report.records[i].file) for i in (p.a, p.b)] for p in shown]
        captions = [f"{report.records[p.a].file} {report.records[p.b].file}" for p in shown]
        write_sheets(options.sheets, "leaks", [(read_rgb(a), read_rgb(b)) for a, b in images], captions)
    cells = []
    for pair in shown:
        mine = report.groups == report.groups[pair.b]
        of_set = [[report.records[i] for i in np.flatnonzero(mine & (report.set_of == k))] for k in (0, 1)]
        cells.append(
            {
                "train_images": len(of_set[0]),
                "test_images": len(of_set[1]),
                "train_labels": sorted({record.label for record in of_set[0]}),
                "test_labels": sorted({record.label for record in of_set[1]}),
                "train_example": report.records[pair.a].file,
                "test_example": report.records[pair.b].file,
                "inliers": pair.likeness.n_inliers,
                "correlation": round(pair.likeness.correlation, 3),
                "overlap": round(pair.likeness.overlap, 2),
            }
        )
    kinds = [pair.kind for pair in report.pairs]
    return {
        "pairs": len(kinds),
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "touched": [
            {
                "set": one.name,
                "images": one.images,
                "images_touched": one.images_shared,
                "share_of_images": round(one.images_shared / one.images, 4),
                "source_cells": one.source_cells,
                "source_cells_touched": one.source_cells_shared,
            }
            for one in report.shared_counts
        ],
        "different_labels": sum(report.records[p.a].label != report.records[p.b].label for p in report.pairs),
        "cells": cells,
        "test_files": [report.records[pair.b].file for pair in sorted(report.pairs, key=lambda pair: pair.b)],
    } | cost


def group_set(
    path: Path, shuffled: bool = False
) -> tuple[Contents, list[str], np.ndarray, dict[tuple[int, int], Likeness], dict[str, Any]]:
    """Group the images of a set; returns source, files, their groups, the comparisons and what it cost."""
    source = Contents(path)
    files = [record.file for record in list_sorted_records(source.path)]
    if shuffled:
        files = [files[k] for k in np.random.default_rng(SHUFFLE_SEED).permutation(len(files))]
    begun = time.perf_counter(), time.process_time()
    with tqdm(total=2 * len(files), file=sys.stderr, desc=path.name) as bar:
        grouping = group_images(
            lambda i: read_rgb(source.read(files[i])), len(files), lambda done, _: bar.update(done - bar.n)
        )
    return source, files, grouping.groups, grouping.compared, measure_cost(*begun)


def measure_cost(wall: float, cpu: float) -> dict[str, Any]:
    """Time since then, and the most memory that this process ever had."""
    return {
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load_before": round(os.getloadavg()[2], 1),
    }


def summarise_groups(split: str, files: list[str], groups: np.ndarray) -> dict[str, Any]:
    """Count groups, singles and groups of more than one folder."""
    sizes = np.bincount(groups)
    labels = np.array([Path(file).parent.name for file in files])
    held = [set(labels[groups == group]) for group in range(len(sizes))]
    return {
        "images": len(files),
        "groups": len(sizes),
        "photographs": sum(PHOTOGRAPHS[split].values()),
        "groups_by_class": {name: sum(name in some for some in held) for name in WHITE_CELLS_4},
        "photographs_by_class": PHOTOGRAPHS[split],
        "size_min": int(sizes.min()),
        "size_median": float(np.median(sizes)),
        "size_max": int(sizes.max()),
        "singles": int((sizes == 1).sum()),
        "mixed": [[int(sizes[k]), sorted(map(str, some))] for k, some in enumerate(held) if len(some) > 1],
    }


def compare_with_originals(source: Contents, files: list[str], groups: np.ndarray) -> dict[str, Any]:
    """Compare the groups with the originals of TEST_SIMPLE that ORB finds for the images."""
    simple = Contents(require_path(KAGGLE / "TEST_SIMPLE"))
    originals = [record.file for record in list_sorted_records(simple.path)]
    labels = np.array([Path(file).parent.name for file in originals])
    pictures = [read_rgb(simple.read(file)) for file in originals]
    known = [find_orb_points(rgb) for rgb in pictures]
    mirrored = [find_orb_points(np.ascontiguousarray(rgb[:, ::-1])) for rgb in pictures]

    def nearest_original(file: str) -> int:
        image = find_orb_points(read_rgb(source.read(file)))
        inliers = [
            max(count_orb_inliers(k, image), count_orb_inliers(m, image)) for k, m in zip(known, mirrored, strict=True)
        ]
        return int(np.argmax(inliers)) if max(inliers) >= ORB_INLIERS else -1

    with ThreadPoolExecutor(2) as pool:
        truth = np.array(list(tqdm(pool.map(nearest_original, files), total=len(files), file=sys.stderr, desc="ORB")))
    found = truth >= 0
    truth, told = truth[found], groups[found]
    field = number_fields(known)
    # An original (or a cell photographed twice) comes out right if its images are one whole group.
    right_original = {int(t): is_own_group(truth == t, told) for t in np.unique(truth)}
    right_field = {int(f): is_own_group(field[truth] == f, told) for f in np.unique(field[truth])}
    of_class = {name: np.flatnonzero(labels == name) for name in WHITE_CELLS_4}
    return {
        "checked": len(files),
        "with_original": int(found.sum()),
        "originals_by_class": {name: len(mine) for name, mine in of_class.items()},
        "originals_without_an_image": [originals[t] for t in range(len(originals)) if t not in right_original],
        "own_group_by_class": {
            name: sum(right_original.get(int(t), False) for t in mine) for name, mine in of_class.items()
        },
        "cells_by_class": {name: len(np.unique(field[mine])) for name, mine in of_class.items()},
        "cell_own_group_by_class": {
            name: sum(right_field.get(int(f), False) for f in np.unique(field[mine])) for name, mine in of_class.items()
        },
        "ari_originals": round(float(adjusted_rand_score(truth, told)), 4),
        "ari_cells": round(float(adjusted_rand_score(field[truth], told)), 4),
        "photographed_twice": [
            [originals[t] for t in np.flatnonzero(field == k)] for k in np.unique(field) if (field == k).sum() > 1
        ],
    }


def is_own_group(mine: np.ndarray, groups: np.ndarray) -> bool:
    """Tell whether the marked images are all of one group, and no other image is in it."""
    return len(np.unique(groups[mine])) == 1 and not np.isin(groups[~mine], groups[mine]).any()


def find_orb_points(rgb: np.ndarray) -> OrbPoints:
    """Give (x, y) of ORB points, float32 (K, 2), and their descriptors, uint8 (K, 32) or None."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    lit = cv2.erode((cv2.medianBlur(gray, 5) > 30).astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=1)
    keys, descriptors = cv2.ORB.create(ORB_POINTS, fastThreshold=ORB_LEVEL).detectAndCompute(gray, lit)
    return np.array([key.pt for key in keys], np.float32).reshape(-1, 2), descriptors


def register_orb_points(first: OrbPoints, second: OrbPoints) -> tuple[int, np.ndarray | None]:
    """Register two sets of ORB points; the number of inliers and the affine map of second onto first."""
    if first[1] is None or second[1] is None:
        return 0, None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first[1], second[1])
    if len(pairs) < ORB_INLIERS:
        return 0, None
    affine, inliers = cv2.estimateAffine2D(
        second[0][[p.trainIdx for p in pairs]], first[0][[p.queryIdx for p in pairs]], ransacReprojThreshold=3.0
    )
    return (0, None) if affine is None else (int(inliers.sum()), affine)


def count_orb_inliers(first: OrbPoints, second: OrbPoints) -> int:
    """Count the points on which two images agree."""
    return register_orb_points(first, second)[0]


def number_fields(known: list[OrbPoints]) -> np.ndarray:
    """Give originals numbers so that two photographs sharing half their area get the same number; int (O,)."""
    pairs = []
    for a in range(len(known)):
        for b in range(a):
            inliers, affine = register_orb_points(known[a], known[b])
            if affine is not None and inliers >= ORB_INLIERS:
                share = cv2.warpAffine(np.ones((240, 320), np.float32), affine, (320, 240)).mean()
                if share >= SAME_FIELD_OVERLAP:
                    pairs.append((a, b))
    rows, cols = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(len(known), len(known)))
    return np.asarray(connected_components(graph, directed=False)[1])


def write_groups(path: Path, files: list[str], groups: np.ndarray) -> None:
    """Write file,group, sorted by file."""
    path.write_bytes(encode_groups_csv(dict(sorted(zip(files, map(str, groups.tolist()), strict=True)))))


def write_sheets(folder: Path, name: str, pairs: list[tuple[np.ndarray, np.ndarray]], captions: list[str]) -> None:
    """Write contact sheets of pairs side by side, 50 a sheet, each with its number; the names go into a text file."""
    height_px = TILE_PX + 14
    for start in range(0, len(pairs), PAIRS_PER_SHEET):
        some = pairs[start : start + PAIRS_PER_SHEET]
        n_rows = -(-len(some) // SHEET_COLUMNS)
        sheet = np.full((n_rows * height_px, SHEET_COLUMNS * (2 * TILE_PX + 12), 3), 255, np.uint8)
        for k, pair in enumerate(some):
            top, left = k // SHEET_COLUMNS * height_px, k % SHEET_COLUMNS * (2 * TILE_PX + 12)
            for side, rgb in enumerate(pair):
                scale = TILE_PX / max(rgb.shape[:2])
                size = (round(scale * rgb.shape[1]), round(scale * rgb.shape[0]))
                tile = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
                at = left + side * (TILE_PX + 2)
                sheet[top + 12 : top + 12 + size[1], at : at + size[0]] = tile
            cv2.putText(sheet, str(start + k + 1), (left, top + 10), cv2.FONT_HERSHEY_PLAIN, 0.8, (0, 0, 0))
        cv2.imwrite(str(folder / f"{name}-{start // PAIRS_PER_SHEET + 1}.png"), sheet[..., ::-1])
    lines = [f"{number} {caption}\n" for number, caption in enumerate(captions, start=1)]
    (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
