"""Score the shipped wbc8, malaria and wbc4-other-stains; writes docs/measured/shipped.json and the models' cards.

    python benchmarks/measure_shipped.py --split pbc-split.csv --malaria RUN

wbc8 was trained on the parts train and validation of a split of pbc (`bloodcell split pbc.zip --holdout 0.12 --test 0.15`,
copies found from the pixels) and is scored here on its part test, by the same pipeline as the app. malaria is scored on
the answers that five runs gave to patients whom they had not been trained on (out_of_fold.npz in RUN's folder).
wbc4-other-stains is scored on kaggle-wbc TEST and on wbc-masks.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, PROJECT, require_path, write_measurement
from scoring import score_model, write_tests

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.source_spec import (
    SourceSpec,
    assign_source_cells,
    list_source_records,
    open_source_file,
)
from bloodcell.datasets.labels.listing import list_sorted_records
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.split import TEST
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.model_store.folder import OUT_OF_FOLD_FILE, ModelFolder
from bloodcell.training.fitting.cross_validation import build_predictions
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.train_spec import TrainSpec

OTHER_STAINS = "wbc4-other-stains"
BARS = {"wbc8": 0.985, "malaria": 0.95, OTHER_STAINS: None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--malaria", type=Path, required=True)
    args = parser.parse_args()
    models = PROJECT / "models"
    measured = {
        "wbc8": score_wbc8(models / "wbc8", require_path(args.split)),
        "malaria": score_malaria(require_path(args.malaria)),
        OTHER_STAINS: score_test(models / OTHER_STAINS),
    }
    masks, records = open_source_file(PROJECT / "specs" / "wbc-masks.json")
    unseen = score_model(models / OTHER_STAINS, masks, records, np.arange(len(records)))
    write_tests(models / "wbc8", {"pbc, test part (15 %)": measured["wbc8"]})
    write_tests(models / "malaria", {"malaria by patient, 5 folds, out of fold": measured["malaria"]})
    tests = {"kaggle-wbc TEST": measured[OTHER_STAINS], "wbc-masks, a laboratory it has not seen": unseen}
    write_tests(models / OTHER_STAINS, tests)
    write_measurement("shipped", {name: one | {"bar": BARS[name]} for name, one in measured.items()})


def score_wbc8(folder: Path, split: Path) -> dict[str, Any]:
    images = Contents(require_path(DATA / "pbc.zip"))
    table = read_split(split).table
    group_of = {row.file: row.group for row in table.itertuples() if row.split == TEST}
    records = [one for one in list_source_records(SourceSpec("pbc", "pbc.zip"), images) if one.file in group_of]
    groups = np.unique([str(group_of[one.file]) for one in records], return_inverse=True)[1]
    return score_model(folder, images, records, groups)


def score_test(folder: Path) -> dict[str, Any]:
    images = Contents(require_path(DATA / "kaggle-wbc" / "TEST"))
    records = list_sorted_records(images.path)
    return score_model(folder, images, records, assign_source_cells("pixels", images, records))


def score_malaria(run: Path) -> dict[str, Any]:
    description = ModelFolder(run).read_description()
    spec = TrainSpec.from_dict(description.training or {})
    samples = load_samples(spec, DATA, load_settings().home / "cache")
    found = summarise_metrics(
        build_predictions(spec, samples, Outputs.load(run / OUT_OF_FOLD_FILE), description.calibration or {})
    )
    return {"model_sha256": ModelFolder(run).compute_sha256()} | found


if __name__ == "__main__":
    main()
