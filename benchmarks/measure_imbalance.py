"""Measure the lecture's case with and without treatment: 75 NEUTROPHIL images of few cells against all of the others.

    python benchmarks/measure_imbalance.py --workers 2

Trains specs/lecture-75-neutrophil*.json on kaggle-wbc TRAIN by `python -m bloodcell train`, once for each of the folds
asked for, and asks each network about the source cells of TRAIN that it was not shown; TEST is not touched. The last
variant has all NEUTROPHIL images, as far as they are not held out, and is there to compare with. Each training runs on
one core. Crops are found or made in the cache of the workspace (BLOODCELL_HOME).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ModelFolder
from bloodcell.training.samples.engine_predictions import predict_with_engine
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import OOD, load_samples
from bloodcell.training.specs.choices import EQUAL_PARTS
from bloodcell.training.specs.train_spec import TrainSpec

VARIANTS = {
    "untreated": "lecture-75-neutrophil",
    "class weights": "lecture-75-neutrophil-class-weights",
    "equal parts (oversampling)": "lecture-75-neutrophil-equal-parts",
    "focal loss": "lecture-75-neutrophil-focal-loss",
}
WITHOUT_SHORTAGE = "all NEUTROPHIL images, equal parts"
RARE = "NEUTROPHIL"
METRIC_NAMES = ("images", "source_cells", "balanced_accuracy", "balanced_interval", "accuracy", "interval", "recall")
ONE_CORE = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def read_variants() -> dict[str, TrainSpec]:
    """Name -> spec, the one without shortage last."""
    specs = {name: TrainSpec.read(PROJECT / "specs" / f"{file}.json") for name, file in VARIANTS.items()}
    plain = specs["untreated"]
    full = tuple(replace(source, limits=()) for source in plain.sources)
    return specs | {WITHOUT_SHORTAGE: replace(plain, name="full", sources=full, class_sampling=EQUAL_PARTS)}


def train(spec: TrainSpec, folder: Path) -> None:
    """One training by the command line, on one core."""
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier call left unfinished
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
    command = [sys.executable, "-m", "bloodcell", "train", str(folder / "spec.json"), "--data", str(DATA)]
    environment = {**os.environ, **ONE_CORE, "PYTHONPATH": str(PROJECT)}
    with (folder / "log.txt").open("w") as log:
        subprocess.run([*command, "--out", str(folder / "run")], check=True, stdout=log, stderr=log, env=environment)
    print(f"{spec.name}, fold {spec.fold}: trained", file=sys.stderr)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Parse what `train_all` wants to know."""
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1], help="folds that are held out, one a training")
    parser.add_argument("--workers", type=int, default=1, help="trainings side by side")
    parser.add_argument("--runs", type=Path, help="folder for the trainings; those that it holds are not made again")


def train_all(specs: dict[str, TrainSpec], args: argparse.Namespace) -> dict[tuple[str, int], Path]:
    """Train every spec on every fold where that is not done yet; (name, fold) -> the folder around its run."""
    runs = args.runs or Path(tempfile.mkdtemp(prefix="measured-runs-"))
    run_folders = {(name, fold): runs / f"{specs[name].name}-{fold}" for fold in args.folds for name in specs}
    wanted = [at for at, folder in run_folders.items() if not (folder / "run" / "README.md").exists()]
    with ThreadPoolExecutor(args.workers) as pool:
        list(pool.map(lambda at: train(replace(specs[at[0]], fold=at[1]), run_folders[at]), wanted))
    return run_folders


def concatenate_predictions(parts: list[Predictions]) -> Predictions:
    """Join the predictions of several folds; no source cell lies in two."""
    names = ("y_true", "y_pred", "probs", "status", "groups")
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return Predictions(parts[0].class_names, *arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    args = parser.parse_args()
    require_path(DATA / "kaggle-wbc" / "TRAIN")
    specs = read_variants()
    plain = specs["untreated"]
    cache_dir = load_settings().home / "cache"
    load_samples(plain, DATA, cache_dir)  # into the cache, so that trainings side by side do not each cut the crops
    run_folders = train_all(specs, args)
    samples = load_samples(plain, DATA, cache_dir)
    folds = assign_folds(plain, samples)
    measured = {}
    for name, spec in specs.items():
        run_dirs = [run_folders[name, fold] / "run" for fold in args.folds]
        held = [samples.take((folds == fold) & (samples.class_index != OOD)) for fold in args.folds]
        found = summarise_metrics(
            concatenate_predictions(
                [predict_with_engine(Engine(run_dir), part) for run_dir, part in zip(run_dirs, held, strict=True)]
            )
        )
        measured[name] = {
            "class_sampling": spec.class_sampling,
            "class_weights": spec.class_weights,
            "focal_gamma": spec.focal_gamma,
            "learned_from": [ModelFolder(run_dir).read_description().document["learned_from"] for run_dir in run_dirs],
            **{figure: found[figure] for figure in METRIC_NAMES},
        }
    write_measurement(
        "imbalance",
        {
            "protocol": f"folds {args.folds} of {plain.folds} of kaggle-wbc TRAIN held out by source cell, one training"
            " each; images in which no cell was found are left out",
            "rare": RARE,
            "training": {
                name: getattr(plain, name)
                for name in ("model", "stage_widths", "height_px", "epochs", "images_per_epoch", "seed")
            },
            "variants": measured,
        },
    )


if __name__ == "__main__":
    main()
