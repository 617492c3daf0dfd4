"""``reproduce``: train published work on an honest split and on a leaky one, and compare."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bloodcell.cli.shared.arguments import DATA_HELP
from bloodcell.cli.shared.evaluation import make_output_folder
from bloodcell.cli.shared.output import print_info, print_table
from bloodcell.cli.shared.run_folder import TerminalProgress, announce_training_library
from bloodcell.core.io import find_data_dir, write_atomic
from bloodcell.core.settings import load_settings
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import CARD_FILE, ModelFolder
from bloodcell.training.samples.engine_predictions import predict_with_engine
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import OOD, Samples, load_samples
from bloodcell.training.specs.recipes import HONEST, RECIPES, Recipe, get_recipe
from bloodcell.training.specs.train_spec import TrainSpec

RESULT_FILE = "reproduced.json"
METRICS = ("images", "source_cells", "accuracy", "interval", "plain_interval", "balanced_accuracy", "balanced_interval")


DETAILS = (
    "Trains each variant twice and scores it on images that were held out: once with the copies of a cell (or the cells of a "
    "patient) kept together, once split at random, as most published results were obtained. Runs that exist are not trained "
    "again, and a stopped one continues."
)
EXAMPLE = "reproduce cnn --data ../shared/data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``reproduce``."""
    parser.add_argument("name", metavar="NAME", help="a recipe, or `list` for all of them")
    parser.add_argument("--data", default="../shared/data", metavar="DIR", help=f"{DATA_HELP} (default: %(default)s)")
    parser.add_argument("--out", metavar="DIR", help="folder of the runs (default: workspace/reproduced/NAME)")


def run(args: argparse.Namespace) -> int:
    """Run the recipe ``args.name`` in the folder ``args.out``; what it holds already is not trained again.

    Raises
    ------
    BloodcellError
        If there is no such recipe, or the data or the folder cannot be used.
    """
    if args.name == "list":
        print_table(
            ("NAME", "WHAT", "PUBLISHED"), [(recipe.name, recipe.title, recipe.published) for recipe in RECIPES]
        )
        return 0
    recipe, data_dir = get_recipe(args.name), find_data_dir(args.data)
    out = Path(args.out or load_settings().home / "reproduced" / recipe.name)
    make_output_folder(out)
    measured = reproduce(recipe, data_dir, out)
    for line in _format_results(recipe, measured):
        print_info(line)
    print_info(f"written to {out / RESULT_FILE}")
    return 0


def reproduce(recipe: Recipe, data_dir: Path, out: Path) -> list[dict[str, Any]]:
    """Train the runs that are missing, score all, and write reproduced.json.

    Parameters
    ----------
    recipe : Recipe
    data_dir : Path
        Folder that the paths of the sources start from.
    out : Path
        Folder of the runs, one per variant and split.

    Returns
    -------
    list of dict
        One per run: variant, split, protocol, parameters, revision, and `METRICS` of `summarise_metrics`. Intervals are over
        source cells or patients in both splits.
    """
    measured = [
        _train_and_score(out, (name, split), spec, recipe.variants[name], data_dir)
        for (name, split), spec in recipe.list_runs().items()
    ]
    result = {"name": recipe.name, "title": recipe.title, "published": recipe.published, "shortened": recipe.shortened}
    write_atomic(out / RESULT_FILE, (json.dumps(result | {"runs": measured}, indent=2) + "\n").encode())
    return measured


def _train_and_score(
    out: Path, variant_and_split: tuple[str, str], spec: TrainSpec, honest: TrainSpec, data_dir: Path
) -> dict[str, Any]:
    """Train one run unless it exists, and score its model on the images that were held out.

    `honest` is the same run on the honest split: the intervals are over its groups.
    """
    name, split = variant_and_split
    cache_dir, folder = load_settings().home / "cache", out / spec.name
    if not (folder / CARD_FILE).is_file():
        print_info(f"{name}, {split} split")
        announce_training_library()
        from bloodcell.training.fitting.train import train

        train(spec, data_dir, folder, cache_dir, TerminalProgress())
    held_out = _load_held_out(spec, honest, data_dir, cache_dir)
    model_folder = ModelFolder(folder)
    return {
        "variant": name,
        "split": split,
        "protocol": f"fold {spec.fold} of {spec.folds} held out, by {_describe_group(spec)}",
        "parameters": model_folder.read_metrics()["parameters"],
        "revision": model_folder.read_description().document["revision"],
        **{
            metric: value
            for metric, value in summarise_metrics(predict_with_engine(Engine(folder), held_out)).items()
            if metric in METRICS
        },
    }


def _describe_group(spec: TrainSpec) -> str:
    return "single images" if all(source.groups == "each" for source in spec.sources) else "source cell or patient"


def _load_held_out(spec: TrainSpec, honest: TrainSpec, data_dir: Path, cache_dir: Path) -> Samples:
    samples = load_samples(spec, data_dir, cache_dir)
    rows = (assign_folds(spec, samples) == spec.fold) & (samples.class_index != OOD)
    return replace(samples, group=load_samples(honest, data_dir, cache_dir).group).take(rows)


def _format_results(recipe: Recipe, measured: list[dict[str, Any]]) -> list[str]:
    lines = [f"{recipe.title}. Published: {recipe.published}."]
    for result in measured:
        low, high = result["interval"]
        mark = "" if result["split"] == HONEST else " (leaky: too good)"
        accuracy = f"accuracy {result['accuracy']:.3f} [{low:.3f}, {high:.3f}]"
        lines.append(f"  {result['variant']}, {result['split']} split: {accuracy}{mark}")
    return lines
