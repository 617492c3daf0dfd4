"""``evaluate`` for a detector: fields with boxes in, metrics, counts of each field and a sheet of the errors out."""

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.evaluation import make_output_folder
from bloodcell.cli.shared.output import print_info, to_printable, update_bar, write_output
from bloodcell.core.io import encode_csv
from bloodcell.datasets.boxes.box_sets import BoxSet, map_labels
from bloodcell.datasets.boxes.detection_labels import guess_meanings
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.boxes.evaluate_detector import DetectorEvaluation, evaluate_detector, select_part
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.detector import Detector
from bloodcell.model_store.detectors import DetectorModel
from bloodcell.model_store.folder import METRICS_FILE
from bloodcell.plots.cell_images import build_contact_sheet, crop_close_up
from bloodcell.reports.numbers import format_count

MAX_SHOWN_ERRORS = 96
MAX_SHOWN_PROBLEMS = 10
_CONTEXT = 2.0
_COLUMNS = ("true", "found", "matched", "centres", "missed", "false")


def evaluate_boxes(model: DetectorModel, args: argparse.Namespace) -> int:
    """Evaluate a detector on ``args.dataset`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the dataset has no boxes of known meaning, or an image or the output folder cannot be used.
    """
    names = tuple(args.names.split(",")) if args.names else ()
    with Contents(Path(args.dataset)) as contents:
        boxes = _map_known_labels(select_part(contents, read_box_set(contents, names), args.part))
        out = make_output_folder(Path(args.out))
        with tqdm(unit="field") as bar:
            evaluation = evaluate_detector(
                Detector(model.folder), contents, boxes, lambda done, total: update_bar(bar, done, total)
            )
        sheet = _draw_errors(evaluation, contents)
    metrics = {"detector": model.name, "dataset": contents.path.name, "part": args.part or "", "boxes": boxes.kind}
    metrics |= evaluation.metrics.to_dict()
    write_output(out / METRICS_FILE, (json.dumps(metrics, indent=2) + "\n").encode())
    write_output(out / "fields.csv", _encode_fields(evaluation))
    write_output(out / "errors.jpg", sheet)
    _print_summary(evaluation)
    print_info(f"written to {out}")
    return 0


def _map_known_labels(boxes: BoxSet) -> BoxSet:
    """Bring the labels to those of the detector, and say what each was taken for."""
    meanings = guess_meanings(boxes.label_counts)
    for label, count in sorted(boxes.label_counts.items()):
        meaning = meanings.get(label, "left out, no known meaning")
        print_info(f"  {to_printable(label)} ({format_count(count, 'box', 'boxes')}): {meaning}")
    for problem in boxes.problems[:MAX_SHOWN_PROBLEMS]:
        print_info(f"  {to_printable(problem.file)}: {problem.reason}")
    if len(boxes.problems) > MAX_SHOWN_PROBLEMS:
        print_info(f"  and {len(boxes.problems) - MAX_SHOWN_PROBLEMS} more problems")
    return map_labels(boxes, meanings)


def _encode_fields(evaluation: DetectorEvaluation) -> bytes:
    names = list(evaluation.metrics.by_class)
    header = ["file", "red_cell_px", *(f"{column}_{name}" for name in names for column in _COLUMNS)]
    rows = []
    for file, red_cell_px, matches in zip(
        evaluation.files, evaluation.red_cell_px, evaluation.metrics.matches, strict=True
    ):
        counts = []
        for match in (matches[name] for name in names):
            counts += [match.n_true, match.n_found, match.n_matched, match.n_centres]
            counts += [len(match.missed), len(match.false)]
        rows.append([file, f"{red_cell_px:.1f}", *counts])
    return encode_csv(header, rows)


def _draw_errors(evaluation: DetectorEvaluation, contents: Contents) -> bytes:
    """Draw missed cells, then false boxes, close up."""
    shown = evaluation.errors[:MAX_SHOWN_ERRORS]
    fields = {file: read_rgb(contents.read(file)) for file in sorted({error.file for error in shown})}
    return encode_jpeg(
        build_contact_sheet([crop_close_up(fields[error.file], error.box, _CONTEXT) for error in shown], n_columns=12)
    )


def _print_summary(evaluation: DetectorEvaluation) -> None:
    described = evaluation.metrics.to_dict()
    print_info(
        f"mAP50 {described['map50']} {described['map50_interval']}, mAP50-95 {described['map50_95']} over"
        f" {format_count(described['fields'], 'field')}"
    )
    for name, values in described["by_class"].items():
        print_info(
            f"  {name}: AP50 {values['ap50']}, centres found {values['centre_recall']} {values['centre_recall_interval']},"
            f" {values['false_per_field']} false a field, {values['found']} counted of {values['true']}"
        )
