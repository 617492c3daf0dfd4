"""Run a model over a labelled dataset, by the same pipeline as everything else."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.data.records import ImageSource, Record, folder_records
from bloodcell.data.sources import SourceSpec, source_records
from bloodcell.errors import DatasetError
from bloodcell.evaluate.metrics import NOT_ANSWERED, Predictions
from bloodcell.infer.engine import Engine
from bloodcell.infer.pipeline import analyse

Progress = Callable[[int, int], None]


def labelled_images(path: Path) -> tuple[ImageSource, list[Record]]:
    """Open a labelled dataset.

    Parameters
    ----------
    path : folder or zip with a folder of images per class, or a JSON file with the settings of a
        `data.sources.SourceSpec`, whose path then starts from the file's own folder

    Raises
    ------
    DatasetError, SpecError
        If there is nothing of that kind.
    """
    if path.suffix.lower() != ".json":
        images = ImageSource(path)
        return images, folder_records(images)
    try:
        settings = SourceSpec.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"The dataset {path} cannot be read: {error.strerror}.") from error
    images = ImageSource(path.parent / settings.path)
    return images, source_records(settings, images)


def evaluate(
    engine: Engine, images: ImageSource, records: list[Record], groups: np.ndarray, on_progress: Progress | None = None
) -> Predictions:
    """Classify every image whose label the model knows; of several cells in one image the largest counts.

    Parameters
    ----------
    records : labelled images; labels outside the model's classes are left out
    groups : array of shape (len(records),), source cell of each

    Raises
    ------
    DatasetError
        If no label is one of the model's classes.
    """
    rows = [row for row, record in enumerate(records) if record.label in engine.class_names]
    if not rows:
        found = sorted({record.label for record in records})[:12]
        raise DatasetError(f"No image is labelled {', '.join(engine.class_names)}. Labels found: {found}.")
    y_true = np.array([engine.class_names.index(records[row].label) for row in rows])
    y_pred = np.full(len(rows), NOT_ANSWERED)
    probs = np.zeros((len(rows), len(engine.class_names)), np.float32)
    status = np.full(len(rows), "", dtype="<U12")
    for at, result in enumerate(analyse(engine, (images.read(records[row].file) for row in rows))):
        if result.cells:
            cell = max(result.cells, key=lambda found: found.box.area_px)
            y_pred[at] = engine.class_names.index(cell.class_name)
            probs[at], status[at] = cell.probs, cell.status
        if on_progress is not None:
            on_progress(at + 1, len(rows))
    return Predictions(engine.class_names, y_true, y_pred, probs, status, groups[rows])


def predictions_csv(records: list[Record], predictions: Predictions) -> str:
    """One row an image: file, label, prediction ("" if not answered), status, source cell, probabilities."""
    names = predictions.class_names
    known = [record for record in records if record.label in names]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "label", "prediction", "status", "source_cell", *[f"prob_{name}" for name in names]])
    for row, record in enumerate(known):
        pred = int(predictions.y_pred[row])
        answer = names[pred] if pred != NOT_ANSWERED else ""
        shares = [f"{prob:.5f}" for prob in predictions.probs[row]]
        group = predictions.groups[row]
        writer.writerow([record.file, record.label, answer, predictions.status[row], group, *shares])
    return text.getvalue()
