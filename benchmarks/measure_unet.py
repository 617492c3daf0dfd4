"""Measure the U-Net on all or some fifths of wbc-masks: Dice and IoU of the cell, trained on drawn masks and on Otsu's.

    python benchmarks/measure_unet.py --out DIR [--folds 5] [--side 96] [--epochs 12]

Each fifth is held out in turn; what is scored is the cell on held-out images against the drawn masks, whatever
the network was trained on. Plain Otsu is scored on the same images. What lies in DIR already is not trained again.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.open_sources import open_source
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.splits.split import TRAIN, VALIDATION, Split, split_into_folds
from bloodcell.datasets.splits.split_file import encode_split_csv
from bloodcell.imaging.segment import dice, intersection_over_union
from bloodcell.imaging.threshold import mask_cell_by_otsu
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.folder import MASK_FILE
from bloodcell.training.masks.mask_metrics import summarise_scores
from bloodcell.training.masks.train_masks import train_mask_model
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.samples.mask_samples import open_pairs
from bloodcell.training.specs.masks_spec import DRAWN, OTSU, MasksSpec, Targets

SPEC = PROJECT / "specs" / "unet-wbc-masks.json"
N_FOLDS = 5
PLAIN_OTSU = "plain Otsu on green, without training"
METHOD_TITLES: dict[Targets, str] = {DRAWN: "U-Net trained on drawn masks", OTSU: "U-Net trained on Otsu's masks"}


class PrintedLog(Control):
    """Prints the log."""

    def log(self, line: str) -> None:
        print(line, flush=True)


def write_fold_split(spec: MasksSpec, fold: int, folder: Path) -> Path:
    """Write the split that holds one fifth back; no image shows a cell of another."""
    images, records = open_source(spec.source, DATA)
    images.close()
    table = pd.DataFrame([{"file": one.file, "label": one.label, "group": one.file} for one in records])
    rows = split_into_folds(table, N_FOLDS, seed=0).table
    rows["split"] = np.where(rows["split"] == f"fold{fold}", VALIDATION, TRAIN)
    path = folder / f"split-{fold}.csv"
    path.write_bytes(encode_split_csv(Split(rows)))
    return path


def train_unet(spec: MasksSpec, targets: Targets, fold: int, folder: Path) -> Path:
    """Return the folder of the U-Net trained on all but one fifth."""
    done = folder / f"{targets}-{fold}"
    if not done.exists():
        source = replace(spec.source, split=str(write_fold_split(spec, fold, folder)))
        work = folder / f".{done.name}.unfinished"
        print(f"{METHOD_TITLES[targets]}, fifth {fold + 1} held back", flush=True)
        train_mask_model(work, replace(spec, source=source, targets=targets), DATA, folder / "cache", PrintedLog())
        (work / RESULT_DIR).replace(done)
        shutil.rmtree(work)
    return done


def score_fold(spec: MasksSpec, folders: dict[Targets, Path]) -> list[dict[str, Any]]:
    """Dice and IoU against the drawn masks, a row a held-out image and method; `folders` are of one fold."""
    held = pd.read_csv(folders[DRAWN] / "held_back.csv")["file"]
    engines = {METHOD_TITLES[targets]: MaskEngine(folder / MASK_FILE) for targets, folder in folders.items()}
    rows = []
    with open_pairs(spec, DATA) as pairs:
        for file in held:
            read = pairs.read(Record(file, ""))
            if read is None:
                raise SystemExit(f"error: {file} cannot be read.")
            rgb, truth = read
            masks = {name: engine.predict_mask(rgb) for name, engine in engines.items()} | {
                PLAIN_OTSU: mask_cell_by_otsu(rgb)
            }
            rows += [
                {"method": name, "file": file, "dice": dice(mask, truth), "iou": intersection_over_union(mask, truth)}
                for name, mask in masks.items()
            ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--folds", type=int, default=N_FOLDS, help="how many of the five to do (default: %(default)s)")
    parser.add_argument("--side", type=int, metavar="PX", help="of the network's input (default: the spec's)")
    parser.add_argument("--epochs", type=int, metavar="N", help="(default: the spec's)")
    args = parser.parse_args()
    require_path(DATA / "wbc-masks")
    args.out.mkdir(parents=True, exist_ok=True)
    spec = MasksSpec.read(SPEC)
    side = args.side or spec.height_px
    spec = replace(spec, height_px=side, width_px=side, epochs=args.epochs or spec.epochs)
    rows: list[dict[str, Any]] = []
    for fold in range(args.folds):
        rows += score_fold(spec, {targets: train_unet(spec, targets, fold, args.out) for targets in METHOD_TITLES})
        table = pd.DataFrame(rows)
        methods = {
            name: {
                figure: summarise_scores(part[figure].to_numpy(), np.arange(len(part))) for figure in ("dice", "iou")
            }
            for name, part in table.groupby("method", sort=False)
        }
        size = {name: getattr(spec, name) for name in ("height_px", "width_px", "epochs", "batch_size", "seed")}
        n_images = table["file"].nunique()
        write_measurement(
            "unet", {"images": n_images, "folds": N_FOLDS, "folds_done": fold + 1, "spec": size, "methods": methods}
        )


if __name__ == "__main__":
    main()
