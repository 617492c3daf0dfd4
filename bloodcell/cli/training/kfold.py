"""``kfold``: train every fold once, and write the metrics of the cells that were held out."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.arguments import add_experiment_arguments
from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import open_run_folder
from bloodcell.training.specs.train_spec import TrainSpec

DETAILS = (
    "Writes kfold.json (metrics with intervals over source cells), folds.csv, predictions.csv, split.csv and history/. Ctrl-C "
    "stops the training, --resume continues it: finished folds are not repeated. `jobs submit --kind kfold` does the same in "
    "the background."
)
EXAMPLE = "kfold specs/train-only.json --data ../shared/data --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kfold``."""
    add_experiment_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train every fold of ``args.spec`` and write the metrics into ``args.out``.

    Raises
    ------
    BloodcellError
        If the settings, the data or the output folder cannot be used.
    """
    spec = TrainSpec.read(Path(args.spec))
    with open_run_folder(args) as folder:
        from bloodcell.experiments.k_fold import run_k_fold

        result = run_k_fold(folder.work_dir, spec, folder.data_dir, folder.cache_dir, folder.progress)
        print_info(
            f"accuracy {result['accuracy']} {result['interval']} over {result['source_cells']} source cells, balanced "
            f"accuracy {result['balanced_accuracy']} {result['balanced_interval']}, log loss {result['log_loss']}"
        )
    return 0
