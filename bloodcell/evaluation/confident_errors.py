"""The most confident errors of an evaluation, with images where the evaluated dataset is still there."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.evaluation_folder import Evaluation, max_probabilities, read_box
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.pipeline import crop_for_display

MAX_ERRORS: Final = 48
CROP_PX: Final = 120


@dataclass(frozen=True)
class WrongPrediction:
    """An image whose predicted class is not the true one.

    Attributes
    ----------
    file, label : str
    prediction : str
        "" where there is none.
    probability : float
        Of the predicted class, 0 where there is none.
    jpeg : bytes
        The cell close up, or the whole image where none was found; b"" where it cannot be shown.
    """

    file: str
    label: str
    prediction: str
    probability: float
    jpeg: bytes = b""


@dataclass(frozen=True)
class WrongPredictions:
    """The errors of an evaluation.

    Attributes
    ----------
    n_errors : int
        All of them.
    most_confident : tuple of WrongPrediction
    problem : str
        Why some cannot be shown, "" if all can.
    """

    n_errors: int
    most_confident: tuple[WrongPrediction, ...]
    problem: str = ""


def collect_wrong_predictions(
    evaluation: Evaluation, settings: Settings, max_errors: int = MAX_ERRORS
) -> WrongPredictions:
    """Collect the most confident errors and cut out their cells.

    A dataset that is gone or has changed is no error: `problem` says so, and what cannot be shown has no image. Bytes
    that are not those that were evaluated are never shown.

    Parameters
    ----------
    evaluation : Evaluation
    settings : Settings
    max_errors : int, default 48
        Ties stand in the order of the prediction table.

    Returns
    -------
    WrongPredictions
    """
    table = evaluation.prediction_table
    wrong_rows = np.flatnonzero((table["label"] != table["prediction"]).to_numpy())
    confidences = max_probabilities(table)
    rows = wrong_rows[np.argsort(-confidences[wrong_rows], kind="stable")][:max_errors]
    chosen = list(table.iloc[rows].itertuples(index=False))
    crops, problem = _read_crops(chosen, evaluation.protocol, settings) if chosen else ([], "")
    most_confident = tuple(
        WrongPrediction(
            entry.file, entry.label, entry.prediction, float(confidences[row]) if entry.prediction else 0.0, crop
        )
        for entry, row, crop in zip(chosen, rows, crops, strict=True)
    )
    return WrongPredictions(len(wrong_rows), most_confident, problem)


def read_crops_by_file(files: list[str], evaluation: Evaluation, settings: Settings) -> tuple[dict[str, bytes], str]:
    """Read crops of some evaluated images, as `collect_wrong_predictions` does.

    Returns
    -------
    crops : dict of str to bytes
        JPEG by file, b"" where it cannot be shown.
    problem : str
        Why some cannot be shown, "" if all can.
    """
    rows = evaluation.prediction_table.set_index("file", drop=False).loc[files]
    crops, problem = (
        _read_crops(list(rows.itertuples(index=False)), evaluation.protocol, settings) if files else ([], "")
    )
    return dict(zip(files, crops, strict=True)), problem


def open_evaluated_images(protocol: EvaluationProtocol, settings: Settings) -> Contents:
    """Open what was evaluated: the registered dataset, or else the path that it was read from.

    Raises
    ------
    DatasetError
        If neither is there.
    """
    try:
        return Contents(get_dataset(protocol.dataset_id, settings).path)
    except DatasetError:
        if not protocol.path:
            raise
        return Contents(Path(protocol.path))


def _read_crops(rows: list[Any], protocol: EvaluationProtocol, settings: Settings) -> tuple[list[bytes], str]:
    try:
        contents = open_evaluated_images(protocol, settings)
    except DatasetError:
        return [b""] * len(rows), f"The images cannot be shown: the dataset {protocol.dataset} is no longer there."
    crops, problems = [], []
    with contents:
        for row in rows:
            try:
                crops.append(_read_crop(contents, row))
            except BloodcellError as error:
                crops.append(b"")
                problems.append(f"{row.file}: {error}")
    if not problems:
        return crops, ""
    return crops, f"{len(problems)} of these {len(rows)} images cannot be shown; the first is {problems[0]}"


def _read_crop(contents: Contents, row: Any) -> bytes:
    data = contents.read(row.file)
    expected_sha256 = getattr(row, "sha256", "")
    if expected_sha256 and hashlib.sha256(data).hexdigest() != expected_sha256:
        raise DatasetError("It has changed since it was evaluated.")
    rgb, box = read_rgb(data), read_box(row)
    if box is None:
        whole = Box(0, 0, *rgb.shape[:2])
        return encode_jpeg(crop_cell(rgb, whole, CROP_PX, 1.0), 85)
    return encode_jpeg(crop_for_display(rgb, box, CROP_PX), 85)
