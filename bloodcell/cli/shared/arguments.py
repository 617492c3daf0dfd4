"""How the help of a command is laid out, and the arguments that several commands share."""

import argparse
from typing import Any

DATASET_HELP = (
    "folder or zip (one folder per class; such folders inside train and test folders; or images with a CSV of labels), a "
    "JSON file that describes a source (see specs/), or the name of a dataset registered on the page Datasets"
)
MODEL_HELP = "name of a model (see `bloodcell models`), or a model folder"
PATHS_HELP = "images, folders (with everything in them) and zip files"
SPEC_HELP = "settings; the folder specs/ has examples"
DATA_HELP = "folder that the paths of the sources start from"
OUT_CSV_HELP = "CSV to write"


def describe(parser: argparse.ArgumentParser, help_text: str, details: str, example: str) -> None:
    """Write the text above and below the arguments in a command's help.

    Parameters
    ----------
    parser : ArgumentParser
        The command's.
    help_text : str
        What it does, in one line.
    details : str
        Whole sentences; may be empty.
    example : str
        How to call it, without the program's name.
    """
    parser.description = f"{help_text[0].upper()}{help_text[1:]}. {details}".strip()
    parser.epilog = f"Example: bloodcell {example}"


def add_action(actions: Any, name: str, help_text: str, example: str, details: str = "") -> argparse.ArgumentParser:
    """Add one action of a command that has several, such as ``get`` of ``data``; ``args.action`` is its name."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
    describe(parser, help_text, details, example)
    parser.set_defaults(action=name)
    return parser


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to read a folder or zip where that is unclear; `cli.shared.inputs` reads them."""
    reading = parser.add_argument_group("where a folder or zip can be read in several ways")
    labels = reading.add_mutually_exclusive_group()
    labels.add_argument(
        "--level",
        type=int,
        metavar="N",
        help="the folders of this level are the classes; 1 is the outermost, not counting train and test folders",
    )
    labels.add_argument("--labels", metavar="FILE.csv", help="table of labels, in the dataset or elsewhere")
    reading.add_argument("--file-column", metavar="NAME", help="column of --labels with the names or numbers of images")
    reading.add_argument("--label-column", metavar="NAME", help="column of --labels with the labels")
    reading.add_argument(
        "--ending", metavar="TEXT", help="with --labels: only files with this ending are images, such as .bmp"
    )


def add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which images are scored, and which of them show the same cell."""
    parser.add_argument(
        "--part", metavar="NAME", help="score only the images of this part of the dataset, such as test"
    )
    parser.add_argument(
        "--groups",
        metavar="HOW",
        help="which images show the same cell: pixels (compare the images), each (none do), or a CSV with the columns "
        "file,group (default: the groups stored with a registered dataset, else pixels)",
    )
    add_reading_options(parser)


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the commands that train and write a folder of results; `run_folder.open_run_folder` reads them."""
    parser.add_argument("spec", metavar="SPEC.json", help=SPEC_HELP)
    parser.add_argument("--data", required=True, metavar="DIR", help=DATA_HELP)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to create for the results")
    parser.add_argument("--resume", action="store_true", help="continue a stopped run")
