"""``reproduce``: train published work on an honest split and on a leaky one, and compare."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bloodcell.cli.shared.arguments import DATA_HELP
from bloodcell.cli.shared.output import print_info, print_table
from bloodcell.cli.shared.run_folder import TerminalProgress, announce_training_library
from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.io import write_atomic
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
        print_table(("name", "what", "published"), [(one.name, one.title, one.published) for one in RECIPES])
        return 0
    chosen, data_dir = get_recipe(args.name), Path(args.data)
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    out = Path(args.out or load_settings().home / "reproduced" / chosen.name)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {out} cannot be made: {error.strerror}.") from error
    measured = reproduce(chosen, data_dir, out)
    for line in _format_table(chosen, measured):
        print_info(line)
    print_info(f"written to {out / RESULT_FILE}")
    return 0


def reproduce(chosen: Recipe, data_dir: Path, out: Path) -> list[dict[str, Any]]:
    """Train what is not there yet, and write reproduced.json.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    out : folder of the runs, one a variant and split

    Returns
    -------
    list of dict, one a run
        variant, split, protocol, parameters, revision, and `METRICS` of `summarise_metrics`; intervals are over
        source cells or patients in both splits
    """
    measured = [
        _train_and_score(out, (name, split), spec, chosen.variants[name], data_dir)
        for (name, split), spec in chosen.list_runs().items()
    ]
    result = {"name": chosen.name, "title": chosen.title, "published": chosen.published, "shortened": chosen.shortened}
    write_atomic(out / RESULT_FILE, (json.dumps(result | {"runs": measured}, indent=2) + "\n").encode())
    return measured


def _train_and_score(
    out: Path, called: tuple[str, str], spec: TrainSpec, honest: TrainSpec, data_dir: Path
) -> dict[str, Any]:
    """Train one run, or take it as it lies there, and ask its model about the images that were held out.

    Parameters
    ----------
    called : variant and split
    honest : the same run on the honest split, over whose groups the intervals are drawn
    """
    name, split = called
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
            figure: value
            for figure, value in summarise_metrics(predict_with_engine(Engine(folder), held_out)).items()
            if figure in METRICS
        },
    }


def _describe_group(spec: TrainSpec) -> str:
    return "single images" if all(source.groups == "each" for source in spec.sources) else "source cell or patient"


def _load_held_out(spec: TrainSpec, honest: TrainSpec, data_dir: Path, cache_dir: Path) -> Samples:
    samples = load_samples(spec, data_dir, cache_dir)
    rows = (assign_folds(spec, samples) == spec.fold) & (samples.class_index != OOD)
    return replace(samples, group=load_samples(honest, data_dir, cache_dir).group).take(rows)


def _format_table(chosen: Recipe, measured: list[dict[str, Any]]) -> list[str]:
    lines = [f"{chosen.title}. Published: {chosen.published}."]
    for one in measured:
        low, high = one["interval"]
        mark = "" if one["split"] == HONEST else " (leaky: too good)"
        lines.append(
            f"  {one['variant']}, {one['split']} split: accuracy {one['accuracy']:.3f} [{low:.3f}, {high:.3f}]{mark}"
        )
    return lines
