"""``trials``: train with several seeds, and write how much the metrics vary."""

import argparse
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.shared.arguments import add_experiment_arguments
from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import open_run_folder
from bloodcell.training.specs.trials_spec import TrialsSpec

DETAILS = (
    'The settings are those of a training, or of trials: {"train": ..., "n": ...}. Writes trials.json (mean, SD, minimum and '
    "maximum; how many trials converged, and the rule for that), trials.csv and history/. Ctrl-C stops the trials, --resume "
    "continues them: finished ones are not repeated. `jobs submit --kind trials` does the same in the background."
)
EXAMPLE = "trials specs/train-only.json --data ../shared/data --n 10 --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``trials``."""
    add_experiment_arguments(parser)
    parser.add_argument("--n", type=int, metavar="N", help="number of trials (default: as in the settings, or 10)")


def run(args: argparse.Namespace) -> int:
    """Train ``args.n`` times by ``args.spec`` and write the metrics into ``args.out``.

    Raises
    ------
    BloodcellError
        If the settings, the data or the output folder cannot be used.
    """
    spec = TrialsSpec.read(Path(args.spec))
    if args.n is not None:
        spec = replace(spec, n=args.n)
    with open_run_folder(args) as folder:
        from bloodcell.experiments.trials import run_trials

        summary = run_trials(folder.work_dir, spec, folder.data_dir, folder.cache_dir, folder.progress)
        print_info(f"{summary['converged']} of {summary['n']} trials converged. {summary['rule']}")
        for name, metric in summary["figures"].items():
            values = ", ".join(f"{word} {metric[word]}" for word in ("mean", "sd", "min", "max"))
            print_info(f"{name}: {values}")
    return 0
