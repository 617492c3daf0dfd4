"""The command line: which commands there are and what they take.

Each command is a parser block here (those that train: `cli.training.training_parsers`; that judge, load or explain a model:
`cli.models.judging_parsers`) and a function
``run(args) -> exit code`` in a module of `bloodcell.commands`, which is imported only when the command is called.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from bloodcell.cli.models.judging_parsers import add_evaluation_commands, add_model_commands
from bloodcell.cli.shared.parsers import DATASET_HELP, add_command, add_reading_options
from bloodcell.cli.training.training_parsers import add_training_commands
from bloodcell.core.errors import BloodcellError

ERROR_CODE = 1
INTERRUPTED_CODE = 130

MODULES = {
    "teach_masks": "training.masks",
    "data": "datasets.public_data",
    "models": "models.list_models",
    **{name: f"datasets.{name}" for name in ("explore", "groups", "leaks", "split")},
    **{name: f"training.{name}" for name in ("train", "experiments", "adapt", "reproduce", "jobs", "networks")},
    **{
        name: f"models.{name}"
        for name in ("classify", "find", "load_model", "export_model", "explain", "evaluate", "compare", "report")
    },
}
_PATHS_HELP = "images, folders (with all in them) and zip files"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0; 1 after an error, told in one line on stderr that begins with ``error:``; 130 after Ctrl-C.
        Help and usage errors leave by SystemExit instead, with 0 and 1.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal has no letters for must not stop the work.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        code = import_module(f"bloodcell.cli.{MODULES[args.module]}").run(args)
        sys.stdout.flush()
        return code
    except BloodcellError as error:
        _print_error(" ".join(str(error).split()))
        return ERROR_CODE
    except KeyboardInterrupt:
        _print_error("stopped by the user; no output was written.")
        return INTERRUPTED_CODE
    except BrokenPipeError:  # the reader of our output has gone, as in `models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR_CODE


def build_parser() -> argparse.ArgumentParser:
    """Write down every command with its arguments and an example."""
    parser = _OneLineParser(
        prog="bloodcell",
        description="Find and classify white blood cells in stained smear images. Not a medical device.",
        epilog="Errors are one line on stderr with exit code 1. More: bloodcell COMMAND --help",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    classify = add_command(
        commands,
        "classify",
        "classify images and write a CSV",
        "classify slides/ more.zip --model wbc4 --out cells.csv --full",
        details="Every file gets a row; of files with the same bytes only the first. A file that cannot be "
        "used is named with the reason on stderr. Exit code 1, with the CSV still written, only if no file "
        "at all could be used.",
    )
    classify.add_argument("paths", nargs="+", metavar="PATH", help=_PATHS_HELP)
    classify.add_argument("--model", default="wbc4", help="a name from `models` (default: %(default)s)")
    classify.add_argument("--out", required=True, metavar="FILE.csv", help="where the CSV goes")
    classify.add_argument(
        "--full",
        action="store_true",
        help="one row a cell with box, probabilities and status, in place of Filename,Prediction",
    )

    find = add_command(
        commands,
        "find",
        "find the white cells and write their boxes",
        "find slides/ --out boxes.csv",
        details="Writes file,x,y,width,height in pixels of the original image, one row a white cell. An "
        "image without a white cell has no row; it is named on stderr. Exit code as for classify.",
    )
    find.add_argument("paths", nargs="+", metavar="PATH", help=_PATHS_HELP)
    find.add_argument("--out", required=True, metavar="FILE.csv", help="where the CSV goes")

    add_training_commands(commands)

    reproduce = add_command(
        commands,
        "reproduce",
        "train published work on an honest and on a leaky split",
        "reproduce cnn --data ../shared/data",
        details="Trains each variant twice, and asks it about images that were held out: once with copies of a cell (or "
        "cells of a patient) kept together, once at random, as most published numbers were made. Runs that are there "
        "are not trained again, one that was stopped goes on.",
    )
    reproduce.add_argument("name", metavar="NAME", help="a recipe, or `list` for all of them")
    reproduce.add_argument("--data", default="../shared/data", metavar="DIR", help="(default: %(default)s)")
    reproduce.add_argument("--out", metavar="DIR", help="folder of the runs (default: workspace/reproduced/NAME)")

    add_evaluation_commands(commands)

    explore = add_command(
        commands,
        "explore",
        "look into labelled images and write a report",
        "explore ../shared/data/kaggle-wbc/TRAIN --out report.html",
        details="One HTML file that needs no internet: classes, sizes, formats, problems, pictures, gray levels, and "
        "ways to segment compared, by Dice where true masks lie beside the images (same name, or in a folder masks; "
        "0 background, 128 cytoplasm, 255 nucleus).",
    )
    explore.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    explore.add_argument("--out", required=True, metavar="FILE.html", help="where the report goes")
    explore.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="images to look at closely, spread evenly over the classes (default: 600, fewer of large pictures)",
    )
    explore.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample (default: %(default)s)")
    add_reading_options(explore)

    _add_copies_commands(commands)
    add_model_commands(commands)
    add_command(
        commands,
        "networks",
        "list the networks that can be trained",
        "networks",
        details="MB: its numbers, 4 bytes each. TOP-1: accuracy on ImageNet as published. CPU MS: one image on one core, as"
        " measured (docs/measured/networks.json).",
    )

    data = add_command(commands, "data", "list or download public image sets", "data get NAME")
    actions = data.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_command(actions, "list", "list the sets with source and licence", "data list", "data", action="list")
    get = add_command(actions, "get", "download one set into the workspace", "data get NAME", "data", action="get")
    get.add_argument("name", metavar="NAME", help="a name from `data list`")
    return parser


def _add_copies_commands(commands: Any) -> None:
    """The commands about copies of one cell, and splits that keep them together."""
    groups = add_command(
        commands,
        "groups",
        "say which images show one cell or come from one patient",
        "groups slides/ --out groups.csv",
        details="Writes file,group. Without --pattern or --csv copies are found from the pictures: turned, flipped, "
        "moved, zoomed, relit or cropped ones. An image that cannot be read is a group of its own and is named.",
    )
    groups.add_argument("dataset", metavar="DATASET", help=f"{DATASET_HELP}; labels may be missing")
    groups.add_argument("--out", required=True, metavar="FILE.csv", help="where the CSV goes")
    how = groups.add_mutually_exclusive_group()
    how.add_argument(
        "--pattern",
        metavar="REGEX",
        help="regular expression whose round brackets hold the group in a file's name, as '^C(\\d+)' for C33P1.png;"
        " with a / in it, in the whole path",
    )
    how.add_argument("--csv", metavar="FILE", help="table with a column file, filename or image, and --column")
    groups.add_argument("--column", metavar="NAME", help="column of --csv that holds the groups")
    add_reading_options(groups)

    split = add_command(
        commands,
        "split",
        "split a dataset for training, validation and test",
        "split DATASET --folds 5 --seed 0 --out split.csv",
        details="Writes file,group,label,split. All images of a group lie in one part, and classes are spread evenly.",
    )
    split.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parts = split.add_mutually_exclusive_group(required=True)
    parts.add_argument("--folds", type=int, metavar="N", help="parts fold0, fold1, ... of like size")
    parts.add_argument("--holdout", type=float, metavar="SHARE", help="parts train and validation, this share of all")
    split.add_argument(
        "--test",
        metavar="WHAT",
        help="a part test as well: a share (0.2), or what it is to be: a part (test) or folder of the dataset, or a CSV"
        " with the column file",
    )
    split.add_argument("--seed", type=int, default=0, metavar="N", help="(default: %(default)s)")
    split.add_argument(
        "--groups",
        metavar="HOW",
        help="which images stay together: a CSV from `groups`, or pixels (copies, found from the pictures; default:"
        " the groups kept with a registered dataset, else pixels)",
    )
    split.add_argument(
        "--leaky",
        action="store_true",
        help="split images at random, copies apart; every row is then marked leaky",
    )
    split.add_argument("--out", required=True, metavar="FILE.csv", help="where the CSV goes")
    add_reading_options(split)

    leaks = add_command(
        commands,
        "leaks",
        "find the cells that two sets of images share",
        "leaks TRAIN TEST --out pairs.csv",
        details="Writes one row a pair: every two files with the same bytes, and for every other image of B that is "
        "from a cell of A the likest image of A. The share of each set that is touched is told on stderr.",
    )
    leaks.add_argument("a", metavar="A", help=f"{DATASET_HELP}; labels may be missing")
    leaks.add_argument(
        "b",
        metavar="B",
        nargs="?",
        help="the same; left out to compare the train and test folders of A, or with --split",
    )
    leaks.add_argument("--split", metavar="FILE", help="CSV from `split`: compare its parts, whose images lie in A")
    leaks.add_argument("--out", required=True, metavar="FILE.csv", help="where the CSV goes")
    add_reading_options(leaks)


class _OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 1, as all others are."""

    def error(self, message: str) -> NoReturn:
        _print_error(f"{message} (see {self.prog} --help)")
        sys.exit(ERROR_CODE)


def _print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
