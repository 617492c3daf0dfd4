"""Run a model over a labelled dataset, by the same pipeline as everything else."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.layouts import normalise_label
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse

Progress = Callable[[int, int], None]


def match_records_to_classes(records: Iterable[Record], class_names: Sequence[str]) -> list[Record]:
    """Images of a model's classes, their labels written as the model does, whatever their capitals.

    Raises
    ------
    DatasetError
        If there are none.
    """
    records = list(records)
    names = {normalise_label(name): name for name in class_names}
    known = [
        replace(one, label=names[normalise_label(one.label)]) for one in records if normalise_label(one.label) in names
    ]
    if not known:
        raise _no_matching_label_error(records, class_names)
    return known


def predict_records(
    engine: Engine,
    images: Contents,
    records: Sequence[Record],
    groups: np.ndarray,
    on_progress: Progress | None = None,
) -> Predictions:
    """Classify every image whose label the model knows; of several cells in one image the largest counts.

    Parameters
    ----------
    records : labelled images (see `match_records_to_classes`); labels outside the model's classes are left out
    groups : array of shape (len(records),), source cell of each

    Raises
    ------
    DatasetError
        If no label is one of the model's classes, or the bytes of an image are not to be had. A picture that cannot
        be decoded is no error: it counts as not answered.
    """
    rows = [row for row, record in enumerate(records) if record.label in engine.class_names]
    if not rows:
        raise _no_matching_label_error(records, engine.class_names)
    y_true = np.array([engine.class_names.index(records[row].label) for row in rows])
    y_pred = np.full(len(rows), NO_PREDICTION)
    probs = np.zeros((len(rows), len(engine.class_names)), np.float32)
    status = np.full(len(rows), "", dtype="<U12")
    boxes = np.full((len(rows), 4), -1)
    for at, result in enumerate(analyse(engine, (_read_bytes(images, records[row].file) for row in rows))):
        if result.cells:
            cell = max(result.cells, key=lambda found: found.box.area_px)
            y_pred[at] = engine.class_names.index(cell.class_name)
            probs[at], status[at] = cell.probs, cell.status
            boxes[at] = cell.box.top, cell.box.left, cell.box.bottom, cell.box.right
        if on_progress is not None:
            on_progress(at + 1, len(rows))
    return Predictions(engine.class_names, y_true, y_pred, probs, status, groups[rows], boxes)


def format_predictions_csv(records: Sequence[Record], predictions: Predictions) -> str:
    """One row an image: file, label, prediction ("" if not answered), status, source cell, probabilities."""
    names = predictions.class_names
    known = [record for record in records if record.label in names]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "label", "prediction", "status", "source_cell", *[f"prob_{name}" for name in names]])
    for row, record in enumerate(known):
        pred = int(predictions.y_pred[row])
        answer = names[pred] if pred != NO_PREDICTION else ""
        shares = [f"{prob:.5f}" for prob in predictions.probs[row]]
        group = predictions.groups[row]
        writer.writerow([record.file, record.label, answer, predictions.status[row], group, *shares])
    return text.getvalue()


def _read_bytes(images: Contents, file: str) -> bytes:
    try:
        return images.read(file)
    except DatasetError as error:
        raise DatasetError(f"{file} cannot be used: {error}") from error


def _no_matching_label_error(records: Sequence[Record], class_names: Sequence[str]) -> DatasetError:
    found = sorted({record.label for record in records})[:12]
    return DatasetError(f"No image is labelled {', '.join(class_names)}. Labels found: {found}.")
