"""``evaluate``: a model and labelled images in, a folder of predictions and metrics out."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.arguments import DATASET_HELP, MODEL_HELP, add_evaluation_options
from bloodcell.cli.shared.evaluate_boxes import evaluate_boxes
from bloodcell.cli.shared.evaluation import (
    evaluate_records,
    format_command,
    make_output_folder,
    select_records,
    write_results,
)
from bloodcell.cli.shared.groups import find_groups
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import print_info
from bloodcell.core.settings import load_settings
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.predict import match_records_to_classes
from bloodcell.model_store.detectors import find_detector
from bloodcell.model_store.library import find_model
from bloodcell.reports.numbers import format_count, format_interval, format_number, format_percent

DETAILS = (
    "Writes metrics.json (accuracy, balanced accuracy, recall per class, intervals over source cells, calibration error, share "
    "flagged for review) and predictions.csv. For a detector (`evaluate detector DATASET`), DATASET holds boxes as Pascal VOC, "
    "COCO or YOLO; metrics.json gives AP, recall of centres, false boxes and counting errors, beside fields.csv and errors.jpg."
)
EXAMPLE = "evaluate wbc4 ../shared/data/kaggle-wbc/TEST --out report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--names", metavar="A,B,C", help="for a detector: the classes 0, 1, 2 ... of YOLO, where no file says them"
    )
    add_evaluation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate ``args.model`` on ``args.dataset`` into the folder ``args.out``, with copies of a cell by ``args.groups``.

    Raises
    ------
    BloodcellError
        If the model, the dataset or the output folder cannot be used; nothing is written then.
    """
    detector = find_detector(args.model, load_settings())
    if detector is not None:
        return evaluate_boxes(detector, args)
    model = find_model(args.model, load_settings())
    opened = open_images(args.dataset, args)
    records = select_records(opened, args.part)
    known = match_records_to_classes(records, model.class_names)
    out = make_output_folder(Path(args.out))
    group_of, how = find_groups(args.groups, opened, known)
    command = format_command("evaluate", [args.model], [], opened, args)
    about = {"part": args.part or "", "groups": how, "command": command}
    evaluation = evaluate_records(model, opened, records, group_of, about)
    write_results(out, evaluation, known)
    _print_summary(evaluation)
    print_info(f"written to {out}")
    return 0


def _print_summary(evaluation: Evaluation) -> None:
    """Print the main metrics on stderr, leaks first."""
    for line in evaluation.protocol.leak.describe():
        print_info(line)
    report = evaluation.report
    accuracy, confident = report.metrics["accuracy"], report.metrics["confident_accuracy"]
    cells = format_count(report.n_source_cells, "source cell")
    print_info(f"accuracy {format_number(accuracy.value)} ({format_interval(accuracy.interval)}) over {cells}")
    print_info(f"balanced accuracy {format_number(report.metrics['balanced_accuracy'].value)}")
    print_info(f"flagged for review {format_percent(report.metrics['flagged_for_review'].value)} of the images")
    print_info(f"accuracy of the confident cells {format_number(confident.value)}")
    print_info(f"effective sample size {report.effective_sample_size:,.0f}")
