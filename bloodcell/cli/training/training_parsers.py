"""The commands that train: once, many times, on from a model, and in the background."""

from typing import Any

from bloodcell.cli.shared.parsers import add_command
from bloodcell.jobs.kinds.table import FILE_KINDS


def add_training_commands(commands: Any) -> None:
    """Write them down with their arguments and an example each."""
    train = add_command(
        commands,
        "train",
        "train a model from a spec",
        "train specs/wbc4.json --data ../shared/data --out workspace/runs/mine",
        details="The folder that comes out is a model: in workspace/runs it shows on the shelf. Ctrl-C stops it; "
        "--resume goes on. `jobs submit` does the same in the background.",
    )
    train.add_argument("spec", metavar="SPEC.json", help="training settings; examples lie in specs/")
    train.add_argument("--data", required=True, metavar="DIR", help="folder that the sources' paths start from")
    train.add_argument("--out", required=True, metavar="RUN", help="folder to make for the model")
    train.add_argument("--seed", type=int, metavar="N", help="in place of the spec's seed")
    train.add_argument("--fold", type=int, metavar="N", help="in place of the spec's validation fold")
    train.add_argument("--resume", action="store_true", help="go on after the last finished epoch of a stopped run")
    _add_experiments(commands)
    _add_masks(commands)
    _add_jobs(commands)


def _add_experiments(commands: Any) -> None:
    """The commands that train many times, or go on with a model."""
    for name, help_text, spec, details in (
        (
            "trials",
            "train with several seeds and say how far the figures spread",
            "specs/train-only.json",
            'The spec is that of a training, or of trials: {"train": ..., "n": ...}. Writes trials.json (mean, sd, min, max;'
            " how many converged, with the rule), trials.csv, history/.",
        ),
        (
            "kfold",
            "train every fold of a spec once and score the cells left out",
            "specs/train-only.json",
            "Writes kfold.json (figures with intervals over source cells), folds.csv, predictions.csv, split.csv, history/.",
        ),
        (
            "search",
            "search for better training settings",
            "specs/search-small.json",
            "The spec of a search holds a training spec as base and the space. Writes spec.json (the best settings),"
            " search.json, trials.csv, history/.",
        ),
    ):
        options = " --n 10" if name == "trials" else ""
        one = add_command(
            commands,
            name,
            help_text,
            f"{name} {spec} --data ../shared/data{options} --out report",
            "experiments",
            details=f"{details} Ctrl-C stops it; --resume goes on: what is finished is not done again. `jobs submit --kind"
            f" {name}` does the same in the background.",
            experiment=name,
        )
        one.add_argument("spec", metavar="SPEC.json", help="settings; examples lie in specs/")
        one.add_argument("--data", required=True, metavar="DIR", help="folder that the sources' paths start from")
        if name == "trials":
            one.add_argument("--n", type=int, metavar="N", help="how many trials (default: as the spec says, or 10)")
        one.add_argument("--out", required=True, metavar="DIR", help="folder to make for the figures")
        one.add_argument("--resume", action="store_true", help="go on with one that was stopped")
    adapt = add_command(
        commands,
        "adapt",
        "continue a model on a few dozen cells of another laboratory",
        "adapt wbc4 corrected/ --out workspace/runs/wbc4-here",
        details="Part of the cells is held back; the new model is written only if its balanced accuracy on them is above"
        " that before, else exit code 1 and the comparison beside --out, ending .json.",
    )
    adapt.add_argument("model", metavar="MODEL", help="a name from `models`, or a model folder with model.keras")
    adapt.add_argument(
        "cells",
        metavar="CELLS",
        help="a dataset made of decided cells, by name or folder (cells.csv: file, group, label), a folder per class, or"
        " a JSON file that describes a source",
    )
    adapt.add_argument("--out", required=True, metavar="RUN", help="folder to make for the model")
    adapt.add_argument("--old-data", metavar="DIR", help="learn from the model's own sources too, below this folder")
    adapt.add_argument(
        "--held", type=float, default=0.3, metavar="SHARE", help="share of the cells held back (default: %(default)s)"
    )
    adapt.add_argument("--seed", type=int, default=0, metavar="N", help="(default: %(default)s)")


def _add_masks(commands: Any) -> None:
    """The command that teaches what `train` can hide the background with."""
    masks = add_command(
        commands,
        "teach-masks",
        "teach a U-Net to mark the cell, by Otsu's masks or drawn ones",
        "teach-masks specs/unet-wbc-masks.json --data ../shared/data --out workspace/runs/unet",
        "teach_masks",
        details="The folder that comes out is what `mask_model` of a training spec names; its metrics.json holds Dice and"
        " IoU on held-back pictures. Ctrl-C stops it; --resume goes on. `jobs submit --kind masks` does the same in the"
        " background.",
    )
    masks.add_argument("spec", metavar="SPEC.json", help="settings; an example lies in specs/")
    masks.add_argument("--data", required=True, metavar="DIR", help="folder that the source's path starts from")
    masks.add_argument("--out", required=True, metavar="DIR", help="folder to make for the U-Net")
    masks.add_argument("--resume", action="store_true", help="go on after the last finished epoch of a stopped run")


def _add_jobs(commands: Any) -> None:
    """The commands about work in the background."""
    jobs = add_command(
        commands,
        "jobs",
        "list, start, stop and follow training in the background",
        "jobs",
        action="list",
        details="Without an action, list the jobs. They run on when this terminal is closed, BLOODCELL_JOBS of them "
        "at a time (default 1).",
    )
    actions = jobs.add_subparsers(title="actions", metavar="ACTION")
    submit = add_command(
        actions,
        "submit",
        "queue a training run",
        "jobs submit specs/wbc4.json --data ../shared/data --name mine",
        "jobs",
        action="submit",
        details="For --kind adapt the spec is that of an adaptation: name, model, cells (a source below --data); for --kind"
        " evaluate that of an evaluation: name, model, data, as the report on one shows it.",
    )
    submit.add_argument("spec", metavar="SPEC.json", help="settings; examples lie in specs/")
    submit.add_argument(
        "--kind",
        choices=tuple(kind.name for kind in FILE_KINDS),
        default="train",
        help="what to do (default: %(default)s)",
    )
    submit.add_argument("--n", type=int, metavar="N", help="how many trials (default: as the spec says, or 10)")
    submit.add_argument("--data", required=True, metavar="DIR", help="folder that the sources' paths start from")
    submit.add_argument("--name", metavar="NAME", help="of the result in the workspace (default: the spec's name)")
    for action, help_text in (
        ("cancel", "stop a job, or take it out of the queue; finished epochs are kept"),
        ("resume", "go on with a stopped or failed job after its last finished epoch"),
        ("retry", "start a stopped or failed job anew"),
        ("delete", "delete a job with its log and checkpoint; its model stays"),
        ("log", "print what a job has written"),
        ("follow", "print what a job writes until it ends; Ctrl-C leaves it running"),
    ):
        one = add_command(actions, action, help_text, f"jobs {action} 3", "jobs", action=action)
        one.add_argument("id", type=int, metavar="ID", help="number of the job, from `jobs`")
        if action == "delete":
            one.add_argument("--yes", action="store_true", help="do not ask")
