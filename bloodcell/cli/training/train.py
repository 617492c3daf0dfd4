"""``train``: a spec and data in, a model folder out."""

import argparse
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import TerminalProgress, find_data_dir, find_work_dir, print_resume_hint
from bloodcell.core.settings import load_settings
from bloodcell.training.specs.train_spec import TrainSpec


def run(args: argparse.Namespace) -> int:
    """Train the model of ``args.spec`` on the data in ``args.data`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the spec, the data or the output folder cannot be used.
    """
    chosen = {name: value for name, value in (("seed", args.seed), ("fold", args.fold)) if value is not None}
    spec = replace(TrainSpec.read(Path(args.spec)), **chosen)
    data_dir, run_dir = find_data_dir(args.data), Path(args.out)
    work_dir = find_work_dir(run_dir, args.resume)
    print_info("Loading the training library ...")
    from bloodcell.training.fitting.train import train

    with print_resume_hint(work_dir):
        train(spec, data_dir, run_dir, load_settings().home / "cache", TerminalProgress())
    print_info(f"model written to {run_dir}")
    return 0
