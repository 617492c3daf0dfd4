"""``evaluate``: a model and labelled images in, metrics.json and predictions.csv out."""

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bloodcell.commands.output import advance, tell, write_whole
from bloodcell.data.sources import source_cells
from bloodcell.errors import StoreError
from bloodcell.evaluate.dataset import evaluate, labelled_images, predictions_csv
from bloodcell.evaluate.metrics import figures
from bloodcell.infer.engine import Engine
from bloodcell.runs.folder import get_model, read_model
from bloodcell.settings import load_settings


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.model`` on ``args.dataset`` into the folder ``args.out``; copies of a cell by ``args.groups``.

    Raises
    ------
    BloodcellError
        If the model, the dataset or the output folder cannot be used; nothing is written then.
    """
    folder = Path(args.model)
    model = read_model(folder) if (folder / "spec.json").is_file() else get_model(args.model, load_settings())
    engine = Engine(model.folder)
    images, records = labelled_images(Path(args.dataset))
    records = [record for record in records if record.label in engine.class_names] or records
    out = _output_folder(Path(args.out))
    with tqdm(total=len(records), unit="image", desc="source cells", disable=args.groups != "pixels") as bar:
        groups = source_cells(args.groups, images, records, lambda done, total: advance(bar, done, total))
    with tqdm(total=len(records), unit="image", desc="evaluate") as bar:
        predictions = evaluate(engine, images, records, groups, lambda done, total: advance(bar, done, total))
    protocol = {
        "model": model.name,
        "model_sha256": model.sha256,
        "dataset": Path(args.dataset).name,
        "groups": args.groups if args.groups in ("pixels", "each") else Path(args.groups).name,
    }
    measured: dict[str, Any] = protocol | figures(predictions)
    write_whole(out / "predictions.csv", predictions_csv(records, predictions).encode())
    write_whole(out / "metrics.json", (json.dumps(measured, indent=2) + "\n").encode())
    interval: list[float] = measured["interval"]
    accuracy = f"accuracy {measured['accuracy']:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    tell(f"{accuracy} over {measured['source_cells']} source cells, balanced {measured['balanced_accuracy']:.3f}")
    tell(f"held back {measured['held_back']:.3f}, confident and right {measured['confident_right']}")
    tell(f"written to {out}")
    return 0


def _output_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    return path.resolve()
