"""``compare``: several models on the same labelled images, and whether one is better than another."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.shared.arguments import DATASET_HELP, add_evaluation_options
from bloodcell.cli.shared.evaluation import (
    evaluate_records,
    format_command,
    make_output_folder,
    select_records,
    write_results,
)
from bloodcell.cli.shared.groups import find_groups
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import print_info, to_printable, write_output
from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.io import encode_csv
from bloodcell.core.settings import load_settings
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.compare import ALL_DISAGREEMENTS, Comparison, compare_evaluations, find_disagreements
from bloodcell.evaluation.confident_errors import read_crops_by_file
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leaderboard import build_leaderboard
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.predict import match_records_to_classes
from bloodcell.model_store.library import ModelInfo, find_model
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
    opened = open_images(args.dataset, args)
    records = select_records(opened, args.part)
    labels = _find_common_labels(models)
    known = match_records_to_classes(
        records, [name for name in models[0].class_names if normalise_label(name) in labels]
    )
    _print_left_out(records, known)
    out = make_output_folder(Path(args.out))
    group_of, how = find_groups(args.groups, opened, known)
    command = format_command("compare", args.models, ["--data"], opened, args)
    about = {"part": args.part or "", "groups": how, "command": command}
    evaluations = []
    for model in models:
        reopened = replace(opened, contents=Contents(opened.contents.path))  # an evaluation closes what it reads from
        evaluation = evaluate_records(model, reopened, records, group_of, about, labels)
        records_of_model = match_records_to_classes(known, model.class_names)  # in the order of its classes
        write_results(make_output_folder(out / model.name), evaluation, records_of_model)
        evaluations.append(evaluation)
    comparisons = [compare_evaluations(evaluations[0], other) for other in evaluations[1:]]
    _write_comparison(out, models, evaluations, comparisons)
    for evaluation in evaluations:
        print_info(f"{to_printable(evaluation.protocol.model)}: {evaluation.protocol.leak.describe()[0]}")
    for comparison in comparisons:
        sys.stdout.write(to_printable(comparison.pair_sentence) + "\n")
    print_info(f"written to {out}")
    return 0


def _print_left_out(records: Sequence[Record], known: Sequence[Record]) -> None:
    files = {record.file for record in known}
    left_out = Counter(record.label for record in records if record.file not in files)
    if left_out:
        counts = ", ".join(f"{to_printable(label)} {n}" for label, n in sorted(left_out.items()))
        print_info(f"left out: {format_count(left_out.total(), 'image')} of classes that not all models know: {counts}")


def _write_comparison(
    out: Path, models: Sequence[ModelInfo], evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]
) -> None:
    """Write leaderboard.csv, comparison.json and compare.html."""
    settings = load_settings()
    infos = [
        EvaluationInfo(model.name, out / model.name, evaluation.protocol, evaluation.report)
        for model, evaluation in zip(models, evaluations, strict=True)
    ]
    board = build_leaderboard(infos, settings)
    rows = board.drop(columns="evaluation")
    values = rows.astype(object).where(rows.notna(), "").to_numpy().tolist()
    write_output(out / "leaderboard.csv", encode_csv(rows.columns, values))
    text = json.dumps([comparison.to_dict() for comparison in comparisons], indent=2) + "\n"
    write_output(out / "comparison.json", text.encode())
    differing = find_disagreements(evaluations)[ALL_DISAGREEMENTS]
    crops, problem = read_crops_by_file(differing[:MAX_DISAGREEMENTS], evaluations[0], settings)
    content = ModelComparison(board, evaluations, comparisons, len(differing), crops, problem)
    page = write_html(build_comparison_document(content))
    write_output(out / "compare.html", page)


def _read_models(names: list[str]) -> list[ModelInfo]:
    """Read two or more models, which must have different names: a folder is written for each."""
    if len(names) < 2:
        raise ModelError(f"A comparison needs two or more models. Received: {len(names)}.")
    models = [find_model(name, load_settings()) for name in names]
    repeated = [name for name, n in Counter(model.name.casefold() for model in models).items() if n > 1]
    if repeated:
        raise ModelError(
            f"Each model must have its own name. Received more than once: {', '.join(map(to_printable, repeated))}."
        )
    return models


def _find_common_labels(models: list[ModelInfo]) -> set[str]:
    """Return the normalised labels that all models know."""
    sets = [{normalise_label(name) for name in model.class_names} for model in models]
    common = set.intersection(*sets)
    if not common:
        known = "; ".join(f"{model.name}: {', '.join(model.class_names)}" for model in models)
        raise DatasetError(f"The models have no class in common. {known}.")
    return common
