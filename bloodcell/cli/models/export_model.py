"""``export-model``: a model of the model library as one zip."""

import argparse

from bloodcell.cli.shared.output import check_output_file, print_info, write_output
from bloodcell.core.settings import load_settings
from bloodcell.model_store.library import get_model
from bloodcell.model_store.model_zip import pack_model

DETAILS = "`load-model` reads the zip on any computer."
EXAMPLE = "export-model wbc4 --out wbc4.zip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``export-model``."""
    parser.add_argument("model", metavar="NAME", help="name of a model, see `bloodcell models`")
    parser.add_argument("--out", required=True, metavar="FILE.zip", help="zip to write")


def run(args: argparse.Namespace) -> int:
    """Write the model ``args.model`` to the zip ``args.out``.

    Raises
    ------
    BloodcellError
        If there is no such model, or the file cannot be written.
    """
    out = check_output_file(args.out)
    write_output(out, pack_model(get_model(args.model, load_settings()).folder))
    print_info(f"written to {out}; `bloodcell load-model` reads it on any computer")
    return 0
