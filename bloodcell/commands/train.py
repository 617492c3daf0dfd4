"""``train``: a spec and data in, a model folder out."""

import argparse
from dataclasses import replace
from pathlib import Path

from bloodcell.commands.output import tell
from bloodcell.commands.terminal import Terminal
from bloodcell.errors import DatasetError, RunError
from bloodcell.runs.publish import unfinished_dir
from bloodcell.settings import load_settings
from bloodcell.training.spec import TrainSpec


def run(args: argparse.Namespace) -> int:
    """Train the model of ``args.spec`` on the data in ``args.data`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the spec, the data or the output folder cannot be used.
    """
    chosen = {name: value for name, value in (("seed", args.seed), ("fold", args.fold)) if value is not None}
    spec = replace(TrainSpec.read(Path(args.spec)), **chosen)
    data_dir, run_dir = Path(args.data), Path(args.out)
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise RunError(f"The run folder {run_dir} is not empty: name a new one.")
    begun = unfinished_dir(run_dir)
    has_epochs = any(begun.glob("checkpoint/*.npz"))
    if args.resume and not has_epochs:
        raise RunError(f"There is no run of {run_dir} with a finished epoch to go on with: leave out --resume.")
    if has_epochs and not args.resume:
        raise RunError(f"A run of {run_dir} was begun: go on with --resume, or delete {begun}.")
    tell("Loading the training library ...")
    from bloodcell.training.fit import train

    try:
        train(spec, data_dir, run_dir, load_settings().home / "cache", Terminal())
    except KeyboardInterrupt:
        if any(begun.glob("checkpoint/*.npz")):
            tell("The finished epochs are kept: the same command with --resume goes on.")
        raise
    tell(f"model written to {run_dir}")
    return 0
