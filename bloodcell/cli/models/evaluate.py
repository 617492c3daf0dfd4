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

from bloodcell.cli.datasets.groups import groups_asked_for
from bloodcell.cli.shared.inputs import READING_OPTIONS, OpenedImages, open_images
from bloodcell.cli.shared.output import advance, shown, tell, write_whole
from bloodcell.cli.shared.summary import counted
from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.copies.groups import number_by_first
from bloodcell.datasets.labels.layouts import folded
from bloodcell.datasets.labels.records import Record
from bloodcell.evaluation.evaluate import judge
from bloodcell.evaluation.evaluation_folder import Evaluation, write_evaluation
from bloodcell.evaluation.leak_check import LeakFound, learned_here
from bloodcell.evaluation.metrics.summary import figures_of
from bloodcell.evaluation.predict import known_records, predictions_csv
from bloodcell.evaluation.selection import ToJudge
from bloodcell.model_store.folder import ModelInfo, get_model, read_model
from bloodcell.model_store.provenance import read_learned


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.model`` on ``args.dataset`` into the folder ``args.out``; copies of a cell by ``args.groups``.

    Raises
    ------
    BloodcellError
        If the model, the dataset or the output folder cannot be used; nothing is written then.
    """
    model = model_of(args.model)
    opened = open_images(args.dataset, args)
    in_part = in_part_of(opened, args.part)
    known = known_records(in_part, model.class_names)
    out = output_folder(Path(args.out))
    group_of, how = groups_asked_for(args.groups, opened, known)
    how_asked = {
        "part": args.part or "",
        "groups": how,
        "command": repeated("evaluate", [args.model], [], opened, args),
    }
    found = evaluated(model, opened, in_part, group_of, how_asked)
    write_answers(out, found, known)
    _tell(found)
    tell(f"written to {out}")
    return 0


def repeated(
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


def write_answers(out: Path, found: Evaluation, known: Sequence[Record]) -> None:
    """Write an evaluation with predictions.csv and metrics.json into a folder that is there."""
    write_evaluation(out, found)
    write_whole(out / "predictions.csv", predictions_csv(known, found.predictions()).encode())
    measured = found.protocol | figures_of(found.report)
    write_whole(out / "metrics.json", (json.dumps(measured, indent=2) + "\n").encode())


def model_of(name: str) -> ModelInfo:
    """A model folder, or a model of the shelf."""
    return read_model(Path(name)) if _is_model_folder(name) else get_model(name, load_settings())


def _is_model_folder(name: str) -> bool:
    return (Path(name) / "spec.json").is_file()


def evaluated(
    model: ModelInfo,
    opened: OpenedImages,
    in_part: Sequence[Record],
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
    meant = [name for name in model.class_names if labels is None or folded(name) in labels]
    known = known_records(in_part, meant)
    names = {record.file for record in known}
    left_out = Counter(record.label for record in in_part if record.file not in names)
    if left_out and labels is None:
        tell(f"left out: {counted(left_out.total(), 'image')} of classes that {shown(model.name)} does not know")
    groups = number_by_first(np.array([group_of[record.file] for record in known]))
    learned = read_learned(model.folder)
    others = [] if learned is None else learned_here(learned, load_settings())
    pictures = ToJudge(opened.contents, known, groups, set(), dict(left_out), ())
    title = f"{model.name} on {opened.name}" + (f", {how['part']}" if how["part"] else "")
    dataset = opened.dataset
    registered = {"dataset_id": dataset.id if dataset else "", "dataset_sha256": dataset.fingerprint if dataset else ""}
    about = {"title": title, "dataset": opened.name, **registered, **how}
    with tqdm(unit="image") as bar:

        def told(what: str, done: int, total: int) -> None:
            bar.set_description(what)
            advance(bar, done, total)

        return judge(model, pictures, about, learned, others, told)


def _tell(found: Evaluation) -> None:
    """The main figures on stderr, what leaks first."""
    for line in LeakFound.from_json(found.protocol["leak"]).sentences():
        tell(line)
    measured = figures_of(found.report)
    interval: list[float] = measured["interval"]
    accuracy = f"accuracy {measured['accuracy']:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    tell(f"{accuracy} over {measured['source_cells']} source cells, balanced {measured['balanced_accuracy']:.3f}")
    tell(f"held back {measured['held_back']:.3f}, confident and right {measured['confident_right']}")
    tell(f"as much as {found.report['effective_cells']:,} cells of one image each would tell")


def in_part_of(opened: OpenedImages, part: str | None) -> Sequence[Record]:
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


def output_folder(path: Path) -> Path:
    """Make the folder for results where it is not there; StoreError if it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The output folder {path} cannot be made: {error.strerror}.") from error
    return path.resolve()
