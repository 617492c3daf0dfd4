"""``data list`` and ``data get NAME``: the public image sets."""

import argparse
import sys

from tqdm import tqdm

from bloodcell.commands.output import print_table, tell
from bloodcell.data.download import PUBLIC_SETS, fetch
from bloodcell.settings import load_settings


def run(args: argparse.Namespace) -> int:
    """List the sets, or download ``args.name`` into the workspace and print its folder.

    Raises
    ------
    DatasetError
        If there is no set of that name, or it cannot be downloaded whole.
    """
    if args.action == "list":
        rows = [(one.name, one.licence, one.what, one.source) for one in PUBLIC_SETS]
        print_table(("NAME", "LICENCE", "WHAT", "SOURCE"), rows)
        return 0
    with tqdm(unit="B", unit_scale=True, desc=args.name) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        folder = fetch(args.name, load_settings(), show)
    tell(f"downloaded to {folder}")
    sys.stdout.write(f"{folder}\n")
    return 0
