"""``train``: a spec and data in, a model folder out."""

import argparse
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from bloodcell.commands.output import tell
from bloodcell.errors import DatasetError, RunError
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
    tell("Loading the training library ...")
    from bloodcell.training.fit import train

    bars: dict[str, tqdm] = {}

    def on_progress(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = tqdm(total=total, unit="image", desc=name)
        bars[name].update(done - bars[name].n)
        if done == total:
            bars[name].close()

    train(spec, data_dir, run_dir, load_settings().home / "cache", log=tqdm.write, on_progress=on_progress)
    tell(f"model written to {run_dir}")
    return 0
