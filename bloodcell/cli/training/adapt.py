"""``adapt``: a model and labelled cells of another laboratory in, an adapted model out if it is better."""

import argparse
import shutil
from pathlib import Path

from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import TerminalProgress, announce_training_library
from bloodcell.core.errors import RunError
from bloodcell.core.io import find_data_dir
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.model_store.folder import ADAPT_FILE
from bloodcell.model_store.library import find_model
from bloodcell.model_store.publish import get_unfinished_dir
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.adapt_spec import AdaptSpec, build_registered_source, find_cells_source

DETAILS = (
    "Part of the cells is held out for validation. The new model is written only if its balanced accuracy on them is higher "
    "than before; otherwise the exit code is 1 and the comparison is written beside --out, with the ending .json."
)
EXAMPLE = "adapt wbc4 corrected/ --out workspace/runs/wbc4-here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``adapt``."""
    parser.add_argument(
        "model", metavar="MODEL", help="name of a model (see `bloodcell models`), or a model folder with model.keras"
    )
    parser.add_argument(
        "cells",
        metavar="CELLS",
        help="dataset of reviewed cells, by name or folder (cells.csv: file, group, label), a folder with one folder per "
        "class, or a JSON file that describes a source",
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="model folder to create")
    parser.add_argument(
        "--old-data", metavar="DIR", help="train on the model's own sources as well, whose paths start from this folder"
    )
    parser.add_argument(
        "--held-out",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="share of the cells to hold out for validation (default: %(default)s)",
    )
    parser.add_argument("--held", dest="held_out", type=float, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the training (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Adapt the model ``args.model`` on ``args.cells`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the model, the cells or the output folder cannot be used, or the new model is not better: then the
        comparison is at ``args.out`` with the ending .json.
    """
    out, settings = Path(args.out), load_settings()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"The run folder {out} is not empty. Choose a new one.")
    model = find_model(args.model, settings)
    data_dir, cells = find_cells(args.cells)
    old_data = str(find_data_dir(args.old_data)) if args.old_data else ""
    spec = AdaptSpec(out.name, model.name, cells, old_data=old_data, held_share=args.held_out, seed=args.seed)
    work_dir = get_unfinished_dir(out)
    shutil.rmtree(work_dir, ignore_errors=True)  # it takes minutes: started again each time
    announce_training_library("Adapting a model")
    from bloodcell.experiments.adapt import MODEL_DIR, run_adapt

    try:
        report = run_adapt(work_dir, spec, model.folder, data_dir, settings.home / "cache", TerminalProgress())
        (work_dir / MODEL_DIR).replace(out)
    except RunError:
        if (work_dir / ADAPT_FILE).is_file():
            (work_dir / ADAPT_FILE).replace(out.with_suffix(".json"))
            print_info(f"comparison written to {out.with_suffix('.json')}")
        raise
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    before, after = (report[when]["balanced_accuracy"] for when in ("before", "after"))
    low, high = report["difference_interval"]
    n_held_out = format_count(report["cells"]["held_back"], "held-out cell")
    print_info(f"balanced accuracy on {n_held_out}: {before} before, {after} after")
    chance = ", which may be chance" if report["may_be_chance"] else ""
    print_info(f"the difference is between {low} and {high}{chance}")
    print_info(f"thresholds: {report['thresholds']}")
    print_info(f"model written to {out}")
    return 0


def find_cells(text: str) -> tuple[Path, SourceSpec]:
    """Return the data folder and source that a user names: a folder, zip, JSON of a source, or registered dataset.

    Raises
    ------
    DatasetError, SpecError
        If nothing has that name.
    """
    path = Path(text)
    if path.is_file() and path.suffix.lower() == ".json":
        return path.parent.resolve(), SourceSpec.from_json(path.read_text(encoding="utf-8"))
    if path.exists():
        return find_cells_source(path)
    settings = load_settings()
    return settings.home, build_registered_source(get_dataset(text, settings), settings)
