"""``evaluate``: a model and labelled images in, a folder of answers and figures out."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bloodcell.commands.groups import groups_asked_for
from bloodcell.commands.opened import OpenedImages, open_images
from bloodcell.commands.output import advance, shown, tell, write_whole
from bloodcell.commands.summary import counted
from bloodcell.data.groups import number_by_first
from bloodcell.data.records import Record
from bloodcell.errors import DatasetError, StoreError
from bloodcell.evaluate.dataset import evaluate, known_records, predictions_csv
from bloodcell.evaluate.metrics import figures_of
from bloodcell.evaluate.report import report
from bloodcell.evaluate.stored import Evaluation, answers_table, write_evaluation
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
    opened = open_images(args.dataset, args)
    in_part = _of_part(opened, args.part)
    records = known_records(in_part, engine.class_names)
    if len(records) < len(in_part):
        tell(
            f"left out: {counted(len(in_part) - len(records), 'image')} of classes that {shown(model.name)} does not know"
        )
    out = _output_folder(Path(args.out))
    group_of, how = groups_asked_for(args.groups, opened, records)
    groups = number_by_first(np.array([group_of[record.file] for record in records]))
    with tqdm(total=len(records), unit="image", desc="evaluate") as bar:
        predictions = evaluate(engine, opened.contents, records, groups, lambda done, total: advance(bar, done, total))
    protocol = {
        "model": model.name,
        "model_sha256": model.sha256,
        "dataset": opened.name,
        "part": args.part or "",
        "groups": how,
    }
    judged = report(predictions)
    measured: dict[str, Any] = protocol | figures_of(judged)
    answers = answers_table([record.file for record in records], predictions)
    write_evaluation(out, Evaluation(protocol | {"class_names": list(engine.class_names)}, answers, judged))
    write_whole(out / "predictions.csv", predictions_csv(records, predictions).encode())
    write_whole(out / "metrics.json", (json.dumps(measured, indent=2) + "\n").encode())
    interval: list[float] = measured["interval"]
    accuracy = f"accuracy {measured['accuracy']:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    tell(f"{accuracy} over {measured['source_cells']} source cells, balanced {measured['balanced_accuracy']:.3f}")
    tell(f"held back {measured['held_back']:.3f}, confident and right {measured['confident_right']}")
    tell(f"as much as {judged['effective_cells']:,} cells of one image each would tell")
    tell(f"written to {out}")
    return 0


def _of_part(opened: OpenedImages, part: str | None) -> Sequence[Record]:
    """The images to score; learned ones and those held out are never scored as one."""
    there = ", ".join(opened.parts) or "none"
    if part is not None:
        records = opened.of_part(part)
        if not records:
            raise DatasetError(f"{opened.name} has no part {part!r}. Its parts: {there}.")
        return records
    if len(opened.parts) > 1:
        raise DatasetError(f"{opened.name} has the parts {there}; say by --part which one to score.")
    return opened.records


def _output_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    return path.resolve()
