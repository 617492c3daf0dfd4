"""``classify``: files in, CSV out, by the same pipeline as the page Classify."""

import argparse

from tqdm import tqdm

from bloodcell.cli.shared.arguments import OUT_CSV_HELP, PATHS_HELP
from bloodcell.cli.shared.output import check_output_file, check_paths, print_info, write_output
from bloodcell.cli.shared.summary import summarise_batch
from bloodcell.core.labels import UNREADABLE
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import count_paths, read_paths
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.library import get_model
from bloodcell.review.classify_files import classify_files
from bloodcell.review.result_csv import encode_per_cell, encode_per_image

DETAILS = (
    "Each image gets one row; files that are exact duplicates are one image. A file that cannot be used is named on stderr "
    "with the reason. If no file at all can be used, the exit code is 1 and the CSV is still written."
)
EXAMPLE = "classify slides/ more.zip --model wbc4 --out cells.csv --full"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``classify``."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=PATHS_HELP)
    parser.add_argument(
        "--model", default="wbc4", help="name of a model, see `bloodcell models` (default: %(default)s)"
    )
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)
    parser.add_argument(
        "--full",
        action="store_true",
        help="write one row per cell, with its box, probabilities and status, in place of one row per image",
    )


def run(args: argparse.Namespace) -> int:
    """Classify ``args.paths`` with ``args.model`` into ``args.out``, one row per image or, with ``args.full``, per cell.

    Returns
    -------
    int
        1 if no file could be used (the CSV is written all the same), else 0.

    Raises
    ------
    BloodcellError
        If a path, the model or the output cannot be used; nothing is written then.
    """
    paths = check_paths(args.paths)
    out = check_output_file(args.out)
    engine = Engine(get_model(args.model, load_settings()).folder)
    with tqdm(total=count_paths(paths), unit="image", desc="classify") as bar:
        classified = classify_files(engine, read_paths(paths), bar.update, Detector(SHIPPED_DETECTOR))
    images, cells = classified.images, classified.cells
    write_output(out, encode_per_cell(engine, images, cells) if args.full else encode_per_image(images, cells))
    for line in summarise_batch(images, cells, engine.class_names):
        print_info(line)
    print_info(f"model {engine.model_name} ({engine.model_sha256[:12]}), written to {out}")
    if (images["image_status"] == UNREADABLE).all():
        print_info("error: no file could be used; the reasons are above.")
        return 1
    return 0
