"""Set a trained model's temperature and thresholds anew on its own validation fold, after the rule for them changed.

    python scripts/recalibrate.py models/wbc4 --data ../shared/data

The network stays as it is; spec.json, metrics.json and the card are written again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from measuring import DATA

from bloodcell.infer.typical import load_typical
from bloodcell.runs.folder import read_description
from bloodcell.settings import load_settings
from bloodcell.training.batches import plain_crops
from bloodcell.training.calibrate import Outputs, calibrate
from bloodcell.training.card import write_card
from bloodcell.training.fit import split_rows
from bloodcell.training.samples import load_samples
from bloodcell.training.spec import TrainSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=load_settings().home / "cache")
    args = parser.parse_args()
    description = read_description(args.folder)
    spec = TrainSpec.from_json(json.dumps(description["training"]))
    samples = load_samples(spec, args.data, args.cache)
    held = samples.take(split_rows(spec, samples)[1])
    session = onnxruntime.InferenceSession(str(args.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    crops = plain_crops(held.wide, spec.side_px).astype(np.float32)
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: crops[start : start + 64]}) for start in range(0, len(crops), 64)]
    logits, known, features = (np.concatenate(of_output) for of_output in zip(*parts, strict=True))
    calibration = calibrate(
        spec, held, Outputs(logits, known[:, 0], features), load_typical(args.folder / "typical.npz")
    )
    description["calibration"] = calibration.settings
    metrics = json.loads((args.folder / "metrics.json").read_text(encoding="utf-8"))
    metrics["validation"] = calibration.figures
    for file, content in (("spec.json", description), ("metrics.json", metrics)):
        (args.folder / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    write_card(args.folder, description, metrics)
    print(json.dumps({"calibration": calibration.settings, "validation": calibration.figures}, indent=2))


if __name__ == "__main__":
    main()
