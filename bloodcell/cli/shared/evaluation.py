"""What `evaluate` and `compare` share: which images are scored, a model scored on them, and what is written."""

import argparse
import json
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bloodcell.cli.shared.inputs import READING_OPTIONS, OpenedImages
from bloodcell.cli.shared.output import make_absolute, print_info, to_printable, update_bar, write_output
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
from bloodcell.model_store.library import ModelInfo
from bloodcell.reports.numbers import format_count


def select_records(opened: OpenedImages, part: str | None) -> Sequence[Record]:
    """Return the images to use: those of one part, as training and test images are never scored together.

    Parameters
    ----------
    opened : OpenedImages
    part : str or None
        Name of the part; None where the dataset has at most one.

    Returns
    -------
    sequence of Record

    Raises
    ------
    DatasetError
        If there is no such part, or there are several and `part` is None.
    """
    names = ", ".join(opened.parts) or "none"
    if part is not None:
        records = opened.select_part(part)
        if not records:
            raise DatasetError(f"{opened.name} has no part {part!r}. Its parts: {names}.")
        return records
    if len(opened.parts) > 1:
        raise DatasetError(f"{opened.name} has the parts {names}: choose one with --part.")
    return opened.records


def evaluate_records(
    model: ModelInfo,
    opened: OpenedImages,
    records: Sequence[Record],
    group_of: Mapping[str, str],
    about: Mapping[str, str],
    labels: Collection[str] | None = None,
) -> Evaluation:
    """Evaluate a model with a progress bar, leaving out images of classes that it does not know.

    Parameters
    ----------
    model : ModelInfo
    opened : OpenedImages
        Its contents are closed afterwards.
    records : sequence of Record
        The labelled images of `opened` to score.
    group_of : mapping of str to str
        File to source cell, for the images of the model's classes.
    about : mapping of str to str
        Part, groups and command, for the protocol.
    labels : collection of str, optional
        Normalised labels of the images to score; default all of the model's classes.

    Returns
    -------
    Evaluation
    """
    class_names = [name for name in model.class_names if labels is None or normalise_label(name) in labels]
    known = match_records_to_classes(records, class_names)
    files = {record.file for record in known}
    left_out = Counter(record.label for record in records if record.file not in files)
    if left_out and labels is None:
        images = format_count(left_out.total(), "image")
        print_info(f"left out: {images} of classes that {to_printable(model.name)} does not know")
    groups = renumber_by_first(np.array([group_of[record.file] for record in known]))
    provenance = ModelFolder(model.folder).read_provenance()
    training_datasets = [] if provenance is None else find_training_datasets(provenance, load_settings())
    selection = EvaluationImages(opened.contents, known, groups, set(), dict(left_out), ())
    title = f"{model.name} on {opened.name}" + (f", {about['part']}" if about["part"] else "")
    dataset = opened.dataset
    registered = {"dataset_id": dataset.id if dataset else "", "dataset_sha256": dataset.fingerprint if dataset else ""}
    protocol = {"title": title, "dataset": opened.name, **registered, **about}
    with tqdm(unit="image") as bar:

        def on_progress(step: str, done: int, total: int) -> None:
            bar.set_description(step)
            update_bar(bar, done, total)

        return evaluate_model(model, selection, protocol, provenance, training_datasets, on_progress)


def format_command(
    command: str, models: Sequence[str], before_dataset: Sequence[str], opened: OpenedImages, args: argparse.Namespace
) -> str:
    """Return the command that repeats this one from any folder: with every path from the root.

    Parameters
    ----------
    command : str
        Its name.
    models : sequence of str
        As the user named them.
    before_dataset : sequence of str
        What stands before the dataset: nothing, or its option.
    opened : OpenedImages
    args : Namespace
        With the arguments of `arguments.add_evaluation_options`.

    Returns
    -------
    str
        Quoted for a shell.
    """
    words = [make_absolute(name) if ModelFolder(Path(name)).is_model() else name for name in models]
    groups, labels = args.groups, args.labels
    if groups not in (None, "pixels", "each"):
        groups = make_absolute(groups)
    if labels is not None and labels not in opened.contents.files:
        labels = make_absolute(labels)
    reading = {name: getattr(args, name) for name in READING_OPTIONS}
    options = {"part": args.part, "groups": groups, **reading, "labels": labels}
    words += [*before_dataset, opened.dataset.id if opened.dataset else make_absolute(args.dataset)]
    for name, value in options.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(["bloodcell", command, *words, "--out", args.out])


def write_results(out: Path, evaluation: Evaluation, records: Sequence[Record]) -> None:
    """Write an evaluation of `records` with predictions.csv and metrics.json into a folder that exists."""
    write_evaluation(out, evaluation)
    write_output(out / "predictions.csv", format_predictions_csv(records, evaluation.to_predictions()).encode())
    metrics = evaluation.protocol.to_dict() | evaluation.report.summarise()
    write_output(out / METRICS_FILE, (json.dumps(metrics, indent=2) + "\n").encode())


def make_output_folder(path: Path) -> Path:
    """Make the folder for results if it is missing, and return it from the root; StoreError if that is impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    return path.resolve()
