"""``compare``: several models on the same labelled images, and whether one is better than another."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.datasets.groups import find_groups
from bloodcell.cli.models.evaluate import (
    evaluate_records,
    find_model,
    format_command,
    make_output_folder,
    select_records,
    write_results,
)
from bloodcell.cli.shared.arguments import DATASET_HELP, add_evaluation_options
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import print_info, to_printable, write_output
from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.io import encode_csv
from bloodcell.core.settings import load_settings
from bloodcell.datasets.labels.records import normalise_label
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.compare import ALL_DISAGREEMENTS, compare_evaluations, find_disagreements
from bloodcell.evaluation.confident_errors import read_crops_by_file
from bloodcell.evaluation.leaderboard import build_leaderboard
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.predict import match_records_to_classes
from bloodcell.model_store.library import ModelInfo
from bloodcell.reports.compare_report import MAX_DISAGREEMENTS, ModelComparison, build_comparison_document
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.numbers import format_count

DETAILS = (
    "Writes one folder per model as `evaluate` does, leaderboard.csv, comparison.json (each model against the first: "
    "differences with intervals over source cells, McNemar's test) and compare.html, and prints which model is better. "
    "Images of classes that not all models know are left out."
)
EXAMPLE = "compare wbc4 mine --data ../shared/data/kaggle-wbc/TEST --out comparison"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``compare``."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="two or more names of models (see `bloodcell models`) or model folders",
    )
    parser.add_argument("--data", required=True, dest="dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    add_evaluation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.models`` on ``args.dataset`` into the folder ``args.out`` and compare each with the first.

    Raises
    ------
    BloodcellError
        If a model, the dataset or the output folder cannot be used.
    """
    models = _read_models(args.models)
    settings = load_settings()
    opened = open_images(args.dataset, args)
    part_records = select_records(opened, args.part)
    labels = _find_common_labels(models)
    known = match_records_to_classes(
        part_records, [name for name in models[0].class_names if normalise_label(name) in labels]
    )
    files = {record.file for record in known}
    left_out = Counter(record.label for record in part_records if record.file not in files)
    if left_out:
        some = ", ".join(f"{to_printable(label)} {n}" for label, n in sorted(left_out.items()))
        print_info(f"left out: {format_count(left_out.total(), 'image')} of classes that not all models know: {some}")
    out = make_output_folder(Path(args.out))
    group_of, how = find_groups(args.groups, opened, known)
    command = format_command("compare", args.models, ["--data"], opened, args)
    about = {"part": args.part or "", "groups": how, "command": command}
    evaluations = []
    for model in models:
        # Judging closes what it reads from.
        images = replace(opened, contents=Contents(opened.contents.path))
        found = evaluate_records(model, images, part_records, group_of, about, labels)
        known_to_it = match_records_to_classes(known, model.class_names)
        write_results(make_output_folder(out / model.name), found, known_to_it)
        evaluations.append(found)
    infos = [
        EvaluationInfo(model.name, out / model.name, found.protocol, found.report)
        for model, found in zip(models, evaluations, strict=True)
    ]
    board = build_leaderboard(infos, settings)
    comparisons = [compare_evaluations(evaluations[0], other) for other in evaluations[1:]]
    differ = find_disagreements(evaluations)[ALL_DISAGREEMENTS]
    crops, problem = read_crops_by_file(differ[:MAX_DISAGREEMENTS], evaluations[0], settings)
    rows = board.drop(columns="evaluation")
    values = rows.astype(object).where(rows.notna(), "").to_numpy().tolist()
    write_output(out / "leaderboard.csv", encode_csv(rows.columns, values))
    write_output(
        out / "comparison.json",
        (json.dumps([comparison.to_dict() for comparison in comparisons], indent=2) + "\n").encode(),
    )
    content = ModelComparison(board, evaluations, comparisons, len(differ), crops, problem)
    page = write_html(build_comparison_document(content))
    write_output(out / "compare.html", page)
    for found in evaluations:
        leak = found.protocol.leak
        print_info(f"{to_printable(found.protocol.model)}: {leak.describe()[0]}")
    for one in comparisons:
        sys.stdout.write(to_printable(one.pair_sentence) + "\n")
    print_info(f"written to {out}")
    return 0


def _read_models(names: list[str]) -> list[ModelInfo]:
    """Two models or more, whose names are those of folders."""
    if len(names) < 2:
        raise ModelError(f"Two models or more are compared. Received: {len(names)}.")
    models = [find_model(name) for name in names]
    twice = [name for name, n in Counter(model.name.casefold() for model in models).items() if n > 1]
    if twice:
        raise ModelError(
            f"Each model must have a name of its own. Received twice: {', '.join(map(to_printable, twice))}."
        )
    return models


def _find_common_labels(models: list[ModelInfo]) -> set[str]:
    """The folded labels that all models know."""
    sets = [{normalise_label(name) for name in model.class_names} for model in models]
    common = set.intersection(*sets)
    if not common:
        known = "; ".join(f"{model.name}: {', '.join(model.class_names)}" for model in models)
        raise DatasetError(f"The models have no class in common. {known}.")
    return common
