"""``networks``: which networks can be trained, and what they cost."""

import argparse

from bloodcell.cli.shared.output import print_table
from bloodcell.networks.network_table import read_network_rows

COLUMNS = ("NAME", "TITLE", "INPUT", "MB", "PARAMETERS", "DEPTH", "TOP-1", "CPU MS", "NOTE")


DETAILS = (
    "MB: size of the weights, 4 bytes per parameter. TOP-1: published accuracy on ImageNet. CPU MS: time for one image on one "
    "core, as measured (docs/measured/networks.json)."
)
EXAMPLE = "networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``networks``: none."""


def run(_args: argparse.Namespace) -> int:
    """Print one line per network, "-" where a number is not known."""
    print_table(
        COLUMNS,
        [
            (
                row.network.name,
                row.network.title,
                f"{row.network.height_px}x{row.network.width_px}",
                f"{row.network.size_mb:.1f}",
                f"{row.network.parameters:,}",
                str(row.network.depth),
                "-" if row.network.top1 is None else f"{row.network.top1:.1%}",
                "-" if row.cpu_ms is None else f"{row.cpu_ms:.1f}",
                row.network.note,
            )
            for row in read_network_rows()
        ],
    )
    return 0
