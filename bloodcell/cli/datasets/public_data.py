"""``data list`` and ``data get NAME``: the public datasets."""

import argparse
import sys

from tqdm import tqdm

from bloodcell.cli.shared.arguments import add_action
from bloodcell.cli.shared.output import print_info, print_table
from bloodcell.core.settings import load_settings
from bloodcell.datasets.public.download import download_public_set, get_public_set
from bloodcell.datasets.public.public_sets import PUBLIC_SETS

DETAILS = ""
EXAMPLE = "data get NAME"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``data``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_action(actions, "list", "list the datasets with their source and licence", "data list")
    get = add_action(actions, "get", "download one dataset into the workspace", "data get NAME")
    get.add_argument("name", metavar="NAME", help="a name from `data list`")


def run(args: argparse.Namespace) -> int:
    """List the datasets, or download ``args.name`` into the workspace and print its folder.

    Raises
    ------
    DatasetError
        If there is no dataset of that name, or it cannot be downloaded whole.
    """
    if args.action == "list":
        rows = [
            (public.name, f"{public.size_mb} MB", public.licence, public.what, public.source) for public in PUBLIC_SETS
        ]
        print_table(("NAME", "SIZE", "LICENCE", "WHAT", "SOURCE"), rows)
        return 0
    public = get_public_set(args.name)
    with tqdm(unit="B", unit_scale=True, desc=public.name) as bar:

        def show(done_bytes: int, total_bytes: int) -> None:
            bar.total = total_bytes or None
            bar.update(done_bytes - bar.n)

        folder = download_public_set(public.name, load_settings(), show, print_info)
    sys.stdout.write(f"{folder}\n")
    return 0
