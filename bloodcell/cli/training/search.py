"""``search``: train with many settings, and write the best."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.arguments import add_experiment_arguments
from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import open_run_folder
from bloodcell.training.specs.search_spec import SearchSpec

DETAILS = (
    "The settings of a search hold those of a training as their base, and the space to search. Writes spec.json (the best "
    "settings), search.json, trials.csv and history/. Ctrl-C stops the search, --resume continues it: finished trials are not "
    "repeated. `jobs submit --kind search` does the same in the background."
)
EXAMPLE = "search specs/search-small.json --data ../shared/data --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``search``."""
    add_experiment_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Search by ``args.spec`` and write the best settings into ``args.out``.

    Raises
    ------
    BloodcellError
        If the settings, the data or the output folder cannot be used.
    """
    spec = SearchSpec.read(Path(args.spec))
    with open_run_folder(args) as folder:
        from bloodcell.experiments.search import run_search

        result = run_search(folder.work_dir, spec, folder.data_dir, folder.cache_dir, folder.progress)
        best = result["best"]
        settings = ", ".join(f"{name} {best[name]}" for name in result["search"]["space"])
        metric = result["judged_by"]["figure"]
        print_info(f"best: trial {best['trial']} of {len(result['trials'])}, {metric} {best[metric]} ({settings})")
    return 0
