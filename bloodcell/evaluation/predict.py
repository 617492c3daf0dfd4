"""Run a model over labelled images, by the same pipeline as everything else."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.io_spec import PHYSICAL_FRAME


def match_records_to_classes(records: Iterable[Record], class_names: Sequence[str]) -> list[Record]:
    """Select the images of a model's classes and write their labels as the model does, whatever their capitals.

    Parameters
    ----------
    records : iterable of Record
    class_names : sequence of str

    Returns
    -------
    list of Record

    Raises
    ------
    DatasetError
        If there are none.

    Examples
    --------
    >>> records = [Record("1.png", "Monocyte"), Record("2.png", "basophil")]
    >>> [record.label for record in match_records_to_classes(records, ["EOSINOPHIL", "MONOCYTE"])]
    ['MONOCYTE']
    """
    records = list(records)
    names = {normalise_label(name): name for name in class_names}
    known = [
        replace(record, label=names[normalise_label(record.label)])
        for record in records
        if normalise_label(record.label) in names
    ]
    if not known:
        raise _no_matching_label_error(records, class_names)
    return known


def predict_records(
    engine: Engine,
    images: Contents,
    records: Sequence[Record],
    groups: np.ndarray,
    on_progress: OnProgress | None = None,
) -> Predictions:
    """Classify every image whose label the model knows; of several cells in an image the largest counts.

    Parameters
    ----------
    engine : Engine
    images : Contents
    records : sequence of Record, length N
        Labelled images (see `match_records_to_classes`); labels outside the model's classes are left out.
    groups : ndarray, shape (N,)
        Source cell of each image.
    on_progress : callable, optional
        Called with (done, total) after each image.

    Returns
    -------
    Predictions

    Raises
    ------
    DatasetError
        If no label is one of the model's classes, or the bytes of an image cannot be read. An image that cannot be
        decoded is no error: it has no prediction.
    """
    rows = [row for row, record in enumerate(records) if record.label in engine.class_names]
    if not rows:
        raise _no_matching_label_error(records, engine.class_names)
    y_true = np.array([engine.class_names.index(records[row].label) for row in rows])
    y_pred = np.full(len(rows), NO_PREDICTION)
    probs = np.zeros((len(rows), len(engine.class_names)), np.float32)
    status = np.full(len(rows), "", dtype="<U12")
    boxes = np.full((len(rows), 4), -1)
    contents = (_read_bytes(images, records[row].file) for row in rows)
    for index, result in enumerate(_analyse_labelled(engine, contents)):
        if result.cells:
            cell = max(result.cells, key=lambda candidate: candidate.box.area_px)
            y_pred[index] = engine.class_names.index(cell.class_name)
            probs[index], status[index] = cell.probs, cell.status
            boxes[index] = cell.box.top, cell.box.left, cell.box.bottom, cell.box.right
        if on_progress is not None:
            on_progress(index + 1, len(rows))
    return Predictions(engine.class_names, y_true, y_pred, probs, status, groups[rows], boxes)


def _analyse_labelled(engine: Engine, contents: Iterable[bytes | BloodcellError]) -> Iterator[ImageResult]:
    """Analyse images of one labelled cell: by colour alone, or by the detector where the model needs the scale."""
    if engine.io_spec.frame != PHYSICAL_FRAME:
        return analyse(engine, contents)
    finder, _, contents = make_batch_finder(Detector(SHIPPED_DETECTOR), contents, engine.class_names)
    return analyse(engine, contents, finder)


def format_predictions_csv(records: Sequence[Record], predictions: Predictions) -> str:
    """Return predictions as CSV, a row for each image.

    Parameters
    ----------
    records : sequence of Record
        Those whose label is none of the classes are left out.
    predictions : Predictions

    Returns
    -------
    str
        Columns file, label, prediction ("" where there is none), status, source_cell, and prob_ + class for each class.
    """
    names = predictions.class_names
    known = [record for record in records if record.label in names]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "label", "prediction", "status", "source_cell", *[f"prob_{name}" for name in names]])
    for row, record in enumerate(known):
        pred = int(predictions.y_pred[row])
        predicted = names[pred] if pred != NO_PREDICTION else ""
        probs = [f"{prob:.5f}" for prob in predictions.probs[row]]
        writer.writerow(
            [record.file, record.label, predicted, predictions.status[row], predictions.groups[row], *probs]
        )
    return text.getvalue()


def _read_bytes(images: Contents, file: str) -> bytes:
    try:
        return images.read(file)
    except DatasetError as error:
        raise DatasetError(f"{file} cannot be used: {error}") from error


def _no_matching_label_error(records: Sequence[Record], class_names: Sequence[str]) -> DatasetError:
    labels = sorted({record.label for record in records})[:12]
    return DatasetError(f"No image is labelled {', '.join(class_names)}. Labels found: {labels}.")
