"""``compare``: several models on the same labelled images, and whether one is better than another."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bloodcell.cli.datasets.groups import groups_asked_for
from bloodcell.cli.models.evaluate import evaluated, in_part_of, model_of, output_folder, repeated, write_answers
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import shown, tell, write_whole
from bloodcell.cli.shared.summary import counted
from bloodcell.core.csv_text import csv_bytes
from bloodcell.core.errors import DatasetError, ModelError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.labels.layouts import folded
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.compare import Comparison, compared
from bloodcell.evaluation.confident_errors import crops_of
from bloodcell.evaluation.disagreements import DIFFER, disagreements
from bloodcell.evaluation.leaderboard import leaderboard
from bloodcell.evaluation.leak_check import LeakFound
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.predict import known_records
from bloodcell.model_store.folder import ModelInfo
from bloodcell.reports.compare_report import MOST, Compared, compare_report


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.models`` on ``args.dataset`` into the folder ``args.out`` and compare each with the first.

    Raises
    ------
    BloodcellError
        If a model, the dataset or the output folder cannot be used.
    """
    models = _models(args.models)
    settings = load_settings()
    opened = open_images(args.dataset, args)
    in_part = in_part_of(opened, args.part)
    labels = _common(models)
    known = known_records(in_part, [name for name in models[0].class_names if folded(name) in labels])
    files = {record.file for record in known}
    left_out = Counter(record.label for record in in_part if record.file not in files)
    if left_out:
        some = ", ".join(f"{shown(label)} {n}" for label, n in sorted(left_out.items()))
        tell(f"left out: {counted(left_out.total(), 'image')} of classes that not all models know: {some}")
    out = output_folder(Path(args.out))
    group_of, how = groups_asked_for(args.groups, opened, known)
    command = repeated("compare", args.models, ["--data"], opened, args)
    about = {"part": args.part or "", "groups": how, "command": command}
    evaluations = []
    for model in models:
        # Judging closes what it reads from.
        images = replace(opened, contents=Contents(opened.contents.path))
        found = evaluated(model, images, in_part, group_of, about, labels)
        known_to_it = known_records(known, model.class_names)
        write_answers(output_folder(out / model.name), found, known_to_it)
        evaluations.append(found)
    infos = [
        EvaluationInfo(model.name, out / model.name, found.protocol, found.report)
        for model, found in zip(models, evaluations, strict=True)
    ]
    board = leaderboard(infos, settings)
    comparisons = [compared(evaluations[0], other) for other in evaluations[1:]]
    differ = disagreements(evaluations)[DIFFER]
    crops, problem = crops_of(differ[:MOST], evaluations[0], settings)
    rows = board.drop(columns="evaluation")
    values = rows.astype(object).where(rows.notna(), "").to_numpy().tolist()
    write_whole(out / "leaderboard.csv", csv_bytes(rows.columns, values))
    write_whole(
        out / "comparison.json", (json.dumps([_described(one) for one in comparisons], indent=2) + "\n").encode()
    )
    page = compare_report(Compared(board, evaluations, comparisons, len(differ), crops, problem))
    write_whole(out / "compare.html", page)
    for found in evaluations:
        leak = LeakFound.from_json(found.protocol["leak"])
        tell(f"{shown(found.protocol['model'])}: {leak.sentences()[0]}")
    for one in comparisons:
        sys.stdout.write(shown(one.pair_sentence) + "\n")
    tell(f"written to {out}")
    return 0


def _models(names: list[str]) -> list[ModelInfo]:
    """Two models or more, whose names are those of folders."""
    if len(names) < 2:
        raise ModelError(f"Two models or more are compared. Received: {len(names)}.")
    models = [model_of(name) for name in names]
    twice = [name for name, n in Counter(model.name.casefold() for model in models).items() if n > 1]
    if twice:
        raise ModelError(f"Each model must have a name of its own. Received twice: {', '.join(map(shown, twice))}.")
    return models


def _common(models: list[ModelInfo]) -> set[str]:
    """The folded labels that all models know."""
    sets = [{folded(name) for name in model.class_names} for model in models]
    common = set.intersection(*sets)
    if not common:
        known = "; ".join(f"{model.name}: {', '.join(model.class_names)}" for model in models)
        raise DatasetError(f"The models have no class in common. {known}.")
    return common


def _described(one: Comparison) -> dict[str, Any]:
    return asdict(one) | {"sentence": one.pair_sentence}
