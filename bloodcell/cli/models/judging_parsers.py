"""The commands that judge, compare, explain, load and give away models, written down for `cli`."""

import argparse
from typing import Any

from bloodcell.cli.shared.parsers import DATASET_HELP, add_command, add_reading_options


def add_evaluation_commands(commands: Any) -> None:
    """Add evaluate, compare, report and explain."""
    evaluate = add_command(
        commands,
        "evaluate",
        "measure a model on labelled images",
        "evaluate wbc4 ../shared/data/kaggle-wbc/TEST --out report",
        details="Writes metrics.json (accuracy, balanced_accuracy, recall per class, interval over source cells, "
        "ece, held_back) and predictions.csv.",
    )
    evaluate.add_argument("model", metavar="MODEL", help="a name from `models`, or a model folder")
    evaluate.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    evaluate.add_argument("--out", required=True, metavar="DIR", help="folder for the figures")
    _add_evaluation_options(evaluate)

    compare = add_command(
        commands,
        "compare",
        "measure several models on the same labelled images",
        "compare wbc4 mine --data ../shared/data/kaggle-wbc/TEST --out comparison",
        details="Writes a folder a model as `evaluate` does, leaderboard.csv, comparison.json (each model against the"
        " first: differences with intervals over source cells, McNemar's test) and compare.html, and prints which is"
        " better. Labels that not all models know are left out.",
    )
    compare.add_argument("models", nargs="+", metavar="MODEL", help="two or more names from `models`, or model folders")
    compare.add_argument("--data", required=True, dest="dataset", metavar="DATASET", help=DATASET_HELP)
    compare.add_argument("--out", required=True, metavar="DIR", help="folder for the figures")
    _add_evaluation_options(compare)

    report = add_command(
        commands,
        "report",
        "write the report on an evaluation",
        "report report/ --out report.html",
        details="One file that needs no internet: what leaks, figures with intervals, confusion matrix, calibration, the"
        " surest wrong answers with pictures (where the images are still there), and how to repeat it.",
    )
    report.add_argument("dir", metavar="DIR", help="what `evaluate --out` wrote, or an evaluation of the page by name")
    report.add_argument("--out", required=True, metavar="FILE.html", help="where the report goes; FILE.pdf makes a PDF")
    _add_explain_command(commands)


def add_model_commands(commands: Any) -> None:
    """The commands about the shelf of models."""
    add_command(commands, "models", "list the models that can classify", "models")
    load = add_command(
        commands,
        "load-model",
        "put a model from elsewhere on the shelf",
        "load-model cells.keras --classes EOSINOPHIL,LYMPHOCYTE,MONOCYTE,NEUTROPHIL --input image --levels 1",
        "load_model",
        details="The file is looked through without running it, then converted to ONNX and tried on drawn cells in a process"
        " with little memory and time and, where the system allows, no network. Of a .keras file nothing is known that says"
        " when to trust it: all its cells are marked check. A zip from `export-model` answers as it did.",
    )
    load.add_argument("file", metavar="FILE", help="a .keras file, or a .zip from `export-model`")
    load.add_argument("--classes", metavar="A,B,C", help="of a .keras file: class names in the order of its outputs")
    load.add_argument(
        "--name", metavar="NAME", help="on the shelf (default: the file's); a number is added where it is taken"
    )
    load.add_argument(
        "--input",
        choices=("cell", "image"),
        default="cell",
        help="a found cell or the whole picture (default: %(default)s)",
    )
    load.add_argument(
        "--levels",
        choices=("255", "1", "-1"),
        default="255",
        help="levels that the network takes: 0 to 255, 0 to 1, or -1 to 1; 255 if it scales them itself (default: %(default)s)",
    )
    export = add_command(
        commands, "export-model", "write a model folder to a zip", "export-model wbc4 --out wbc4.zip", "export_model"
    )
    export.add_argument("model", metavar="NAME", help="a name from `models`")
    export.add_argument("--out", required=True, metavar="FILE.zip", help="where the zip goes")


def _add_explain_command(commands: Any) -> None:
    explain = add_command(
        commands,
        "explain",
        "draw where a model looks",
        "explain wbc4 cell.jpg --out map.png",
        details="Of several cells in IMAGE the largest counts. A map shows where the network looked, not a medical "
        "reason. gradcam and layers need the model's model.keras and load the training library.",
    )
    explain.add_argument("model", metavar="MODEL", help="a name from `models`, or a model folder")
    explain.add_argument("image", metavar="IMAGE", nargs="?", help="a picture of a cell or a field")
    explain.add_argument("--out", required=True, metavar="FILE.png", help="where the picture goes")
    explain.add_argument(
        "--method",
        choices=("occlusion", "gradcam", "layers"),
        default="occlusion",
        help="occlusion: how much the probability drops where a part is covered, for any model; gradcam: which places"
        " speak for the class; layers: what convolution and pooling layers put out (default: %(default)s)",
    )
    explain.add_argument("--class", dest="class_name", metavar="NAME", help="of the map (default: the predicted one)")
    explain.add_argument("--layer", default="", metavar="NAME", help="whose maps gradcam weighs (default: the last)")
    explain.add_argument("--dataset", metavar="DATASET", help=f"in place of IMAGE, with --mean-of: {DATASET_HELP}")
    explain.add_argument("--mean-of", metavar="CLASS", help="the mean over the cells that DATASET labels so")
    explain.add_argument("--part", metavar="NAME", help="only images of this part of DATASET: test")
    explain.add_argument(
        "--most", type=int, default=64, metavar="N", help="most cells of the mean (default: %(default)s)"
    )
    add_reading_options(explain)


def _add_evaluation_options(command: argparse.ArgumentParser) -> None:
    """Which images are judged, and which of them show one cell."""
    command.add_argument("--part", metavar="NAME", help="only the images of this part, where there are several: test")
    command.add_argument(
        "--groups",
        metavar="HOW",
        help="which images are copies of one cell: pixels (found from the pictures), each (none are), or a CSV with"
        " the columns file,group (default: those kept with a registered dataset, else pixels)",
    )
    add_reading_options(command)
