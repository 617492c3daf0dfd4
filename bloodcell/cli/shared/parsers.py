"""How one command is written down on the command line, and the arguments that several share."""

import argparse
from typing import Any

DATASET_HELP = (
    "folder or zip (a folder per class; such folders in train and test folders; images with a CSV of labels), a JSON "
    "file that describes a source (specs/), or a dataset registered on the page Datasets, by name"
)


def add_command(
    commands: Any,
    name: str,
    help_text: str,
    example: str,
    module: str = "",
    details: str = "",
    **defaults: str,
) -> argparse.ArgumentParser:
    """Add one command; `module` of bloodcell.commands runs it, by default the one of its name."""
    description = f"{help_text[0].upper()}{help_text[1:]}. {details}".strip()
    parser = commands.add_parser(
        name, help=help_text, description=description, epilog=f"Example: python -m bloodcell {example}"
    )
    parser.set_defaults(module=module or name, **defaults)
    return parser


def add_reading_options(command: argparse.ArgumentParser) -> None:
    """How a folder or zip is meant, where that is not clear; read by `cli.shared.inputs`."""
    reading = command.add_argument_group("where a folder or zip can be read in several ways")
    labels = reading.add_mutually_exclusive_group()
    labels.add_argument(
        "--level",
        type=int,
        metavar="N",
        help="the folders of this level are the classes; 1 is the outermost, train and test folders not counted",
    )
    labels.add_argument("--labels", metavar="FILE.csv", help="table of labels, in the dataset or elsewhere")
    reading.add_argument("--file-column", metavar="NAME", help="column of --labels with the images' names or numbers")
    reading.add_argument("--label-column", metavar="NAME", help="column of --labels with the labels")
    reading.add_argument("--ending", metavar="TEXT", help="with --labels: only files that end so are images: .bmp")
