"""``load-model``: a `.keras` file or a zipped model folder in, a model in the model library out."""

import argparse
import shutil
from pathlib import Path

from bloodcell.cli.shared.output import print_info
from bloodcell.core.errors import IntakeError
from bloodcell.core.installation import require_training
from bloodcell.core.progress import Control
from bloodcell.core.settings import load_settings
from bloodcell.jobs.queue import check_result_name
from bloodcell.model_import.load_spec import KERAS, LoadSpec, detect_format, make_model_name, parse_class_names
from bloodcell.model_import.sandbox import load_in_sandbox
from bloodcell.model_store.inspection.keras_archive import inspect_keras
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.library import get_model
from bloodcell.model_store.model_zip import inspect_model_zip
from bloodcell.model_store.publish import publish_model

DETAILS = (
    "The file is inspected without running it, then converted to ONNX and tried on drawn cells in a process with little memory "
    "and time and, where the system allows, no network. A .keras file does not say when to trust its predictions: all its "
    "cells are marked check. A model from `export-model` predicts exactly as it did before."
)
EXAMPLE = "load-model cells.keras --classes EOSINOPHIL,LYMPHOCYTE,MONOCYTE,NEUTROPHIL --input image --levels 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``load-model``."""
    parser.add_argument("file", metavar="FILE", help="a .keras file, or a .zip from `export-model`")
    parser.add_argument("--classes", metavar="A,B,C", help="for a .keras file: class names in the order of its outputs")
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name in the model library (default: that of the file); a number is added if it is taken",
    )
    parser.add_argument(
        "--input",
        choices=("cell", "image"),
        default="cell",
        help="what the network takes: a cell that was found, or the whole image (default: %(default)s)",
    )
    parser.add_argument(
        "--levels",
        choices=("255", "1", "-1"),
        default="255",
        help="range of pixel values that the network takes: 0 to 255, 0 to 1, or -1 to 1; 255 if it scales them itself "
        "(default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Load ``args.file`` and add it to the model library as ``args.name``.

    Raises
    ------
    BloodcellError
        If the file is refused, or its network does not match the class names.
    """
    path, settings = Path(args.file).resolve(), load_settings()
    if not path.is_file():
        raise IntakeError(f"There is no file {path}.")
    format_ = detect_format(path.name)
    if format_ == KERAS:
        require_training("Loading a Keras model")
    names = parse_class_names(args.classes or "")
    if format_ != KERAS and names:
        raise IntakeError("A zipped model folder names its classes itself: leave out --classes.")
    if format_ == KERAS:
        check_class_names(names, inspect_keras(path.open("rb", buffering=0)).n_outputs)
        name = args.name or make_model_name(path.name)
    else:
        name = args.name or inspect_model_zip(path.open("rb", buffering=0)).name or make_model_name(path.name)
    check_result_name(name)
    spec = LoadSpec(name, str(path), format_, path.name, names, args.input, int(args.levels))
    work_dir = settings.home / f".{name}.loading"
    try:
        folder, smoke_test = load_in_sandbox(work_dir, spec, _Lines())
        loaded = get_model(publish_model(folder, name, settings), settings)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    print_info(f"tried on {smoke_test.n_cells} drawn cells: {smoke_test.ms_per_cell} ms per cell")
    if not loaded.io_spec.has_thresholds:
        print_info("it has no measured thresholds: every cell will be marked check")
    print_info(f"added to the model library as {loaded.name}: {loaded.folder}")
    return 0


class _Lines(Control):
    """Prints each step as a line."""

    def log(self, line: str) -> None:
        """Print the step."""
        print_info(f"{line} ...")
