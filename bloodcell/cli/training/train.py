"""``train``: settings and data in, a model folder out."""

import argparse
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.shared.arguments import DATA_HELP, SPEC_HELP
from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import (
    TerminalProgress,
    announce_training_library,
    find_work_dir,
    open_run_folder,
    print_resume_hint,
)
from bloodcell.core.errors import SpecError
from bloodcell.core.io import find_data_dir
from bloodcell.core.settings import load_settings
from bloodcell.core.spec import parse_json_object, read_spec_text
from bloodcell.jobs.kinds.detector import DETECTOR
from bloodcell.training.specs.detector_spec import DetectorSpec
from bloodcell.training.specs.train_spec import TrainSpec

DETAILS = (
    "The result is a model folder; if it lies in workspace/runs, the model is in the model library. Ctrl-C stops training, "
    "--resume continues it. `jobs submit` trains in the background."
)
EXAMPLE = "train specs/wbc4.json --data ../shared/data --out workspace/runs/mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``."""
    parser.add_argument("spec", metavar="SPEC.json", help=SPEC_HELP)
    parser.add_argument("--data", required=True, metavar="DIR", help=DATA_HELP)
    parser.add_argument("--out", required=True, metavar="RUN", help="model folder to create")
    parser.add_argument("--seed", type=int, metavar="N", help="use this seed in place of the one in the settings")
    parser.add_argument(
        "--fold", type=int, metavar="N", help="validate on this fold in place of the one in the settings"
    )
    parser.add_argument("--resume", action="store_true", help="continue a stopped run after its last finished epoch")


def run(args: argparse.Namespace) -> int:
    """Train the model of ``args.spec`` on the data in ``args.data`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the settings, the data or the output folder cannot be used.
    """
    if DETECTOR.marker in parse_json_object(read_spec_text(Path(args.spec), TrainSpec.NOUN)):
        return _train_detector(args)
    changes = {name: value for name, value in (("seed", args.seed), ("fold", args.fold)) if value is not None}
    spec = replace(TrainSpec.read(Path(args.spec)), **changes)
    data_dir, run_dir = find_data_dir(args.data), Path(args.out)
    work_dir = find_work_dir(run_dir, args.resume)
    announce_training_library()
    from bloodcell.training.fitting.train import train

    with print_resume_hint(work_dir):
        train(spec, data_dir, run_dir, load_settings().home / "cache", TerminalProgress())
    print_info(f"model written to {run_dir}")
    return 0


def _train_detector(args: argparse.Namespace) -> int:
    if args.fold is not None:
        raise SpecError("--fold is for classifiers: a detector has no folds.")
    spec = DetectorSpec.read(Path(args.spec))
    if args.seed is not None:
        spec = replace(spec, seed=args.seed)
    with open_run_folder(args) as folder:
        from bloodcell.training.detector.train_detector import train_detector

        held_out = train_detector(folder.work_dir, spec, folder.data_dir, folder.progress)["held_out"]
        print_info(f"mAP50 {held_out['map50']} {held_out['map50_interval']} on {held_out['fields']} held-out fields")
    return 0
