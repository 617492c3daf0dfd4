"""``trials``, ``kfold`` and ``search``: many fits in, a folder of figures out."""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import TerminalProgress, find_data_dir, find_work_dir, print_resume_hint
from bloodcell.core.settings import load_settings
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.search_spec import SearchSpec
from bloodcell.training.specs.train_spec import TrainSpec
from bloodcell.training.specs.trials_spec import TrialsSpec


def run(args: argparse.Namespace) -> int:
    """Do the experiment ``args.experiment`` with ``args.spec`` on the data in ``args.data`` into ``args.out``.

    Raises
    ------
    BloodcellError
        If the spec, the data or the output folder cannot be used.
    """
    spec: Any
    if args.experiment == "search":
        spec = SearchSpec.read(Path(args.spec))
    elif args.experiment == "trials":
        spec = TrialsSpec.read(Path(args.spec))
        spec = spec if args.n is None else replace(spec, n=args.n)
    else:
        spec = TrainSpec.read(Path(args.spec))
    data_dir, out = find_data_dir(args.data), Path(args.out)
    work_dir = find_work_dir(out, args.resume)
    print_info("Loading the training library ...")
    with print_resume_hint(work_dir):
        lines = _RUNNERS[args.experiment](work_dir, spec, data_dir, load_settings().home / "cache", TerminalProgress())
    (work_dir / RESULT_DIR).replace(out)
    shutil.rmtree(work_dir)
    for line in lines:
        print_info(line)
    print_info(f"written to {out}")
    return 0


def _run_trials(*what: Any) -> list[str]:
    from bloodcell.experiments.trials import run_trials

    summary = run_trials(*what)
    lines = [f"{summary['converged']} of {summary['n']} trials converged. {summary['rule']}"]
    for name, one in summary["figures"].items():
        lines.append(f"{name}: mean {one['mean']}, sd {one['sd']}, min {one['min']}, max {one['max']}")
    return lines


def _run_kfold(*what: Any) -> list[str]:
    from bloodcell.experiments.k_fold import run_k_fold

    found = run_k_fold(*what)
    return [
        f"accuracy {found['accuracy']} {found['interval']} over {found['source_cells']} source cells,"
        f" balanced {found['balanced_accuracy']} {found['balanced_interval']}, log loss {found['log_loss']}"
    ]


def _run_search(*what: Any) -> list[str]:
    from bloodcell.experiments.search import run_search

    found = run_search(*what)
    best, names = found["best"], found["search"]["space"]
    settings = ", ".join(f"{name} {best[name]}" for name in names)
    figure = found["judged_by"]["figure"]
    return [f"best: trial {best['trial']} of {len(found['trials'])}, {figure} {best[figure]} ({settings})"]


_RUNNERS = {"trials": _run_trials, "kfold": _run_kfold, "search": _run_search}
