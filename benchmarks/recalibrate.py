"""Set the temperature and thresholds of a run anew from its own out-of-fold answers, after the rule for them changed.

    python benchmarks/recalibrate.py RUN --data ../shared/data

The network stays as it is; spec.json, metrics.json and the card are written again.
"""

import argparse
import json
from pathlib import Path

from measurements import DATA

from bloodcell.core.settings import load_settings
from bloodcell.model_store.folder import OUT_OF_FOLD_FILE, ModelFolder
from bloodcell.training.output.calibration import Outputs, calibrate
from bloodcell.training.output.model_card import write_model_card
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.train_spec import TrainSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=load_settings().home / "cache")
    args = parser.parse_args()
    model_folder = ModelFolder(args.folder)
    description = model_folder.read_description().document
    spec = TrainSpec.from_dict(description["training"])
    samples = load_samples(spec, args.data, args.cache)
    calibration = calibrate(spec, samples, Outputs.load(args.folder / OUT_OF_FOLD_FILE))
    description["calibration"] = calibration.settings
    metrics = model_folder.read_metrics()
    metrics["validation"] |= calibration.metrics
    model_folder.write_description(description)
    model_folder.write_metrics(metrics)
    write_model_card(args.folder, description, metrics)
    print(json.dumps({"calibration": calibration.settings, "validation": calibration.metrics}, indent=2))


if __name__ == "__main__":
    main()
