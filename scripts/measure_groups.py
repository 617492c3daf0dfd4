"""Measure how well copies are grouped into source cells on kaggle-wbc; prints tables for docs/results.md.

Run from the project folder: python -m scripts.measure_groups --data ../shared/data/kaggle-wbc --json groups.json

The truth for TEST is made by another matcher than the one measured: every image of TEST goes to the original of
TEST_SIMPLE on which most ORB points fall. Folder names judge the groups and never make them.
"""

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from bloodcell.classes import WHITE_CELLS_4
from bloodcell.data.groups import find_source_cells

PHOTOGRAPHS = {
    "TRAIN": dict(zip(WHITE_CELLS_4, (75, 27, 16, 159), strict=True)),
    "TEST": dict(zip(WHITE_CELLS_4, (13, 6, 4, 48), strict=True)),
}
ORB_POINTS = 200
ORB_LEVEL = 7  # OpenCV's own 20 leaves a quarter of the pale pictures without a match
ORB_INLIERS = 20
SAME_FIELD_OVERLAP = 0.5


def main() -> None:
    """Group the splits, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with TRAIN, TEST and TEST_SIMPLE")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument(
        "--csv", type=Path, help="write groups_train.csv and groups_test.csv (file,group) into this folder"
    )
    parser.add_argument("--splits", nargs="+", choices=sorted(PHOTOGRAPHS), default=["TRAIN", "TEST"])
    parser.add_argument("--check-every", type=int, default=5, help="of TEST, match every k-th image to its original")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # grouping brings its own threads
    figures = {}
    for split in options.splits:
        files = sorted((options.data / split).glob("*/*"))
        if not files:
            sys.exit(f"No images in {options.data / split}.")
        groups, cost = timed_groups(files)
        figures[split] = describe(split, files, groups) | cost
        if split == "TEST":
            originals, step = sorted((options.data / "TEST_SIMPLE").glob("*/*")), options.check_every
            figures[split] |= against_originals(files[::step], groups[::step], originals)
        if options.csv:
            names = [file.relative_to(options.data / split).as_posix() for file in files]
            write_csv(options.csv / f"groups_{split.lower()}.csv", names, groups)
    print_tables(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def timed_groups(files: list[Path]) -> tuple[np.ndarray, dict]:
    """Group the files; returns the groups and what it cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    with tqdm(total=2 * len(files), file=sys.stderr) as bar:
        groups = find_source_cells(
            lambda i: read(files[i]), len(files), on_progress=lambda done, total: bar.update(done - bar.n)
        )
    return groups, {
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def read(file: Path) -> np.ndarray:
    """Read a picture as uint8 (H, W, 3), RGB."""
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)


def describe(split: str, files: list[Path], groups: np.ndarray) -> dict:
    """Count groups, singles and groups of more than one folder."""
    sizes = np.bincount(groups)
    folders = [{files[i].parent.name for i in np.flatnonzero(groups == group)} for group in range(len(sizes))]
    return {
        "images": len(files),
        "groups": len(sizes),
        "photographs": sum(PHOTOGRAPHS[split].values()),
        "groups_by_class": {name: sum(name in held for held in folders) for name in WHITE_CELLS_4},
        "photographs_by_class": PHOTOGRAPHS[split],
        "size_min": int(sizes.min()),
        "size_median": float(np.median(sizes)),
        "size_max": int(sizes.max()),
        "singles": int((sizes == 1).sum()),
        "mixed": [[int(sizes[k]), sorted(held)] for k, held in enumerate(folders) if len(held) > 1],
    }


def against_originals(files: list[Path], groups: np.ndarray, originals: list[Path]) -> dict:
    """Compare the groups with the originals of TEST_SIMPLE that ORB finds for the images."""
    known = [orb_points(read(file)) for file in originals]
    mirrored = [orb_points(np.ascontiguousarray(read(file)[:, ::-1])) for file in originals]

    def nearest_original(file: Path) -> int:
        image = orb_points(read(file))
        inliers = [max(orb_inliers(k, image), orb_inliers(m, image)) for k, m in zip(known, mirrored, strict=True)]
        return int(np.argmax(inliers)) if max(inliers) >= ORB_INLIERS else -1

    with ThreadPoolExecutor(2) as pool:
        truth = np.array(list(tqdm(pool.map(nearest_original, files), total=len(files), file=sys.stderr)))
    field = same_field(known)
    found = truth >= 0
    joined_by_class = {
        name: len({int(field[t]) for t in truth[found] if originals[t].parent.name == name}) for name in WHITE_CELLS_4
    }
    return {
        "checked": len(files),
        "with_original": int(found.sum()),
        "fields_by_class": joined_by_class,
        "ari_originals": round(float(adjusted_rand_score(truth[found], groups[found])), 4),
        "ari_fields": round(float(adjusted_rand_score(field[truth[found]], groups[found])), 4),
        "photographed_twice": [
            [f"{file.parent.name}/{file.name}" for file in np.array(originals)[field == k]]
            for k in range(field.max() + 1)
            if (field == k).sum() > 1
        ],
    }


def orb_points(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Give (x, y) of ORB points, float32 (K, 2), and their descriptors, uint8 (K, 32) or None."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    lit = cv2.erode((cv2.medianBlur(gray, 5) > 30).astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=1)
    keys, descriptors = cv2.ORB_create(ORB_POINTS, fastThreshold=ORB_LEVEL).detectAndCompute(gray, lit)
    return np.array([key.pt for key in keys], np.float32).reshape(-1, 2), descriptors


def orb_map(first: tuple, second: tuple) -> tuple[int, np.ndarray | None]:
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


def orb_inliers(first: tuple, second: tuple) -> int:
    """Count the points on which two pictures agree."""
    return orb_map(first, second)[0]


def same_field(known: list[tuple]) -> np.ndarray:
    """Number originals so that two photographs sharing half their area get the same number; int (O,)."""
    pairs = []
    for a in range(len(known)):
        for b in range(a):
            inliers, affine = orb_map(known[a], known[b])
            if inliers >= ORB_INLIERS:
                share = cv2.warpAffine(np.ones((240, 320), np.float32), affine, (320, 240)).mean()
                if share >= SAME_FIELD_OVERLAP:
                    pairs.append((a, b))
    rows, cols = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows)), (rows, cols)), shape=(len(known), len(known)))
    return connected_components(graph, directed=False)[1]


def write_csv(path: Path, names: list[str], groups: np.ndarray) -> None:
    """Write file,group to a temporary name first."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(
        "file,group\n" + "".join(f"{name},{group}\n" for name, group in zip(names, groups, strict=True))
    )
    os.replace(unfinished, path)


def print_tables(figures: dict) -> None:
    """Print the figures as markdown."""
    print(
        "| split | images | photographs | groups | singles | sizes: least, median, most | mixed | time | peak memory |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for split, f in figures.items():
        sizes = f"{f['size_min']} / {f['size_median']:g} / {f['size_max']}"
        cost = f"{f['wall_s']:.0f} s ({f['cpu_s']:.0f} s CPU) | {f['peak_mb']} MB"
        cells = [split, f["images"], f["photographs"], f["groups"], f["singles"], sizes, len(f["mixed"]), cost]
        print("| " + " | ".join(map(str, cells)) + " |")
    print("\n| split | class | photographs | groups |\n|---|---|---|---|")
    for split, f in figures.items():
        for name in WHITE_CELLS_4:
            print(f"| {split} | {name} | {f['photographs_by_class'][name]} | {f['groups_by_class'][name]} |")
    test = figures.get("TEST")
    if test:
        print("\n| TEST against TEST_SIMPLE (by ORB) | |\n|---|---|")
        print(f"| images with an original | {test['with_original']} of {test['checked']} checked |")
        print(f"| adjusted Rand index, every original its own | {test['ari_originals']:.4f} |")
        print(f"| adjusted Rand index, fields photographed twice as one | {test['ari_fields']:.4f} |")
        print(f"| originals of a field photographed more than once | {test['photographed_twice']} |")
    for split, f in figures.items():
        for size, names in f["mixed"]:
            print(f"\nMixed in {split}: {size} images of {' and '.join(names)}.")


if __name__ == "__main__":
    main()
