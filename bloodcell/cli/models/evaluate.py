"""``evaluate``: a model and labelled images in, a folder of answers and figures out."""

import argparse
import json
import os
import shlex
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bloodcell.cli.datasets.groups import find_groups
from bloodcell.cli.shared.arguments import DATASET_HELP, MODEL_HELP, add_evaluation_options
from bloodcell.cli.shared.inputs import READING_OPTIONS, OpenedImages, open_images
from bloodcell.cli.shared.output import print_info, to_printable, update_bar, write_output
from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.copies.groups import renumber_by_first
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.evaluation.evaluate import evaluate_model
from bloodcell.evaluation.evaluation_folder import Evaluation, write_evaluation
from bloodcell.evaluation.leak_check import find_training_datasets
from bloodcell.evaluation.predict import format_predictions_csv, match_records_to_classes
from bloodcell.evaluation.selection import EvaluationImages
from bloodcell.model_store.folder import METRICS_FILE, ModelFolder
from bloodcell.model_store.library import ModelInfo, get_model, read_model
from bloodcell.reports.numbers import format_count

DETAILS = (
    "Writes metrics.json (accuracy, balanced accuracy, recall per class, intervals over source cells, calibration error, share "
    "flagged for review) and predictions.csv."
)
EXAMPLE = "evaluate wbc4 ../shared/data/kaggle-wbc/TEST --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    add_evaluation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.model`` on ``args.dataset`` into the folder ``args.out``; copies of a cell by ``args.groups``.

    Raises
    ------
    BloodcellError
        If the model, the dataset or the output folder cannot be used; nothing is written then.
    """
    model = find_model(args.model)
    opened = open_images(args.dataset, args)
    part_records = select_records(opened, args.part)
    known = match_records_to_classes(part_records, model.class_names)
    out = make_output_folder(Path(args.out))
    group_of, how = find_groups(args.groups, opened, known)
    how_asked = {
        "part": args.part or "",
        "groups": how,
        "command": format_command("evaluate", [args.model], [], opened, args),
    }
    found = evaluate_records(model, opened, part_records, group_of, how_asked)
    write_results(out, found, known)
    _print_summary(found)
    print_info(f"written to {out}")
    return 0


def format_command(
    command: str, models: Sequence[str], data: Sequence[str], opened: OpenedImages, args: argparse.Namespace
) -> str:
    """The command that does once more what was asked for here; paths are whole, so that it works from any folder.

    Parameters
    ----------
    models : as they were named
    data : what stands before the dataset: nothing, or its option
    """
    words = [os.path.abspath(one) if _is_model_folder(one) else one for one in models]
    groups, labels = args.groups, args.labels
    if groups not in (None, "pixels", "each"):
        groups = os.path.abspath(groups)
    if labels is not None and labels not in opened.contents.files:
        labels = os.path.abspath(labels)
    asked = {name: getattr(args, name) for name in READING_OPTIONS}
    options = {"part": args.part, "groups": groups, **asked, "labels": labels}
    dataset = opened.dataset.id if opened.dataset else os.path.abspath(args.dataset)
    words += [*data, dataset]
    for name, value in options.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(["python", "-m", "bloodcell", command, *words, "--out", args.out])


def write_results(out: Path, found: Evaluation, known: Sequence[Record]) -> None:
    """Write an evaluation with predictions.csv and metrics.json into a folder that is there."""
    write_evaluation(out, found)
    write_output(out / "predictions.csv", format_predictions_csv(known, found.to_predictions()).encode())
    measured = found.protocol.to_dict() | found.report.summarise()
    write_output(out / METRICS_FILE, (json.dumps(measured, indent=2) + "\n").encode())


def find_model(name: str) -> ModelInfo:
    """A model folder, or a model of the shelf."""
    return read_model(Path(name)) if _is_model_folder(name) else get_model(name, load_settings())


def _is_model_folder(name: str) -> bool:
    return ModelFolder(Path(name)).is_model()


def evaluate_records(
    model: ModelInfo,
    opened: OpenedImages,
    part_records: Sequence[Record],
    group_of: dict[str, str],
    how: dict[str, Any],
    labels: Collection[str] | None = None,
) -> Evaluation:
    """Evaluate a model with a progress bar; pictures of classes that it does not know are left out.

    Parameters
    ----------
    in_part : the labelled pictures of `opened` that are meant
    group_of : file -> source cell, for those of the model's classes
    labels : folded labels of the pictures to judge, where not all of the model's classes are meant
    how : part, groups and command, for the protocol
    """
    meant = [name for name in model.class_names if labels is None or normalise_label(name) in labels]
    known = match_records_to_classes(part_records, meant)
    names = {record.file for record in known}
    left_out = Counter(record.label for record in part_records if record.file not in names)
    if left_out and labels is None:
        print_info(
            f"left out: {format_count(left_out.total(), 'image')} of classes that {to_printable(model.name)} does not know"
        )
    groups = renumber_by_first(np.array([group_of[record.file] for record in known]))
    learned = ModelFolder(model.folder).read_provenance()
    others = [] if learned is None else find_training_datasets(learned, load_settings())
    pictures = EvaluationImages(opened.contents, known, groups, set(), dict(left_out), ())
    title = f"{model.name} on {opened.name}" + (f", {how['part']}" if how["part"] else "")
    dataset = opened.dataset
    registered = {"dataset_id": dataset.id if dataset else "", "dataset_sha256": dataset.fingerprint if dataset else ""}
    about = {"title": title, "dataset": opened.name, **registered, **how}
    with tqdm(unit="image") as bar:

        def on_progress(what: str, done: int, total: int) -> None:
            bar.set_description(what)
            update_bar(bar, done, total)

        return evaluate_model(model, pictures, about, learned, others, on_progress)


def _print_summary(found: Evaluation) -> None:
    """The main figures on stderr, what leaks first."""
    for line in found.protocol.leak.describe():
        print_info(line)
    measured = found.report.summarise()
    interval: list[float] = measured["interval"]
    accuracy = f"accuracy {measured['accuracy']:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    print_info(f"{accuracy} over {measured['source_cells']} source cells, balanced {measured['balanced_accuracy']:.3f}")
    print_info(f"held back {measured['held_back']:.3f}, confident and right {measured['confident_right']}")
    print_info(f"as much as {found.report.effective_sample_size:,} cells of one image each would tell")


def select_records(opened: OpenedImages, part: str | None) -> Sequence[Record]:
    """The images to score; learned ones and those held out are never scored as one."""
    there = ", ".join(opened.parts) or "none"
    if part is not None:
        records = opened.select_part(part)
        if not records:
            raise DatasetError(f"{opened.name} has no part {part!r}. Its parts: {there}.")
        return records
    if len(opened.parts) > 1:
        raise DatasetError(f"{opened.name} has the parts {there}; say by --part which one to score.")
    return opened.records


def make_output_folder(path: Path) -> Path:
    """Make the folder for results where it is not there; StoreError if it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    return path.resolve()
