"""The surest wrong answers of an evaluation, with pictures where the judged dataset is still there."""

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
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell
from bloodcell.imaging.read import encode_jpeg, read_rgb
from bloodcell.inference.pipeline import crop_for_display

MAX_ERRORS: Final = 48
CROP_PX: Final = 120


@dataclass(frozen=True)
class WrongPrediction:
    """One picture that is not named as it is labelled.

    prediction, probability : "" and 0 where there is no answer
    jpeg : the cell close up, or the whole picture where none was found; b"" where it cannot be shown
    """

    file: str
    label: str
    prediction: str
    probability: float
    jpeg: bytes = b""


@dataclass(frozen=True)
class WrongPredictions:
    """Wrong answers of an evaluation: how many, the surest of them, and why some cannot be shown ("" if all can)."""

    n: int
    most_confident: tuple[WrongPrediction, ...]
    problem: str = ""


def collect_wrong_predictions(
    evaluation: Evaluation, settings: Settings, max_errors: int = MAX_ERRORS
) -> WrongPredictions:
    """Collect the surest wrong answers and cut their pictures.

    A dataset that is gone or has changed is no error: `problem` says so, and what cannot be shown has no picture. Bytes
    that are not those that were judged are never shown.

    Parameters
    ----------
    most : of them to collect; ties in the order of the answers
    """
    answers = evaluation.answers
    wrong = np.flatnonzero((answers["label"] != answers["prediction"]).to_numpy())
    confidences = max_probabilities(answers)
    rows = wrong[np.argsort(-confidences[wrong], kind="stable")][:max_errors]
    chosen = list(answers.iloc[rows].itertuples(index=False))
    crops, problem = _read_crops(chosen, evaluation.protocol, settings) if chosen else ([], "")
    most_confident = tuple(
        WrongPrediction(one.file, one.label, one.prediction, float(confidences[row]) if one.prediction else 0.0, crop)
        for one, row, crop in zip(chosen, rows, crops, strict=True)
    )
    return WrongPredictions(len(wrong), most_confident, problem)


def read_crops_by_file(files: list[str], evaluation: Evaluation, settings: Settings) -> tuple[dict[str, bytes], str]:
    """JPEG crops of some judged pictures by file, b"" where there is none, and why; as in `collect_wrong_predictions`."""
    rows = evaluation.answers.set_index("file", drop=False).loc[files]
    crops, problem = (
        _read_crops(list(rows.itertuples(index=False)), evaluation.protocol, settings) if files else ([], "")
    )
    return dict(zip(files, crops, strict=True)), problem


def open_evaluated_images(protocol: dict[str, Any], settings: Settings) -> Contents:
    """Open what was judged: the registered dataset, or else the path that it was read from.

    Raises
    ------
    DatasetError
        If neither is there.
    """
    try:
        return Contents(get_dataset(protocol.get("dataset_id") or "", settings).path)
    except DatasetError:
        path = protocol.get("path")
        if not path:
            raise
        return Contents(Path(path))


def _read_crops(chosen: list[Any], protocol: dict[str, Any], settings: Settings) -> tuple[list[bytes], str]:
    try:
        contents = open_evaluated_images(protocol, settings)
    except DatasetError:
        return [b""] * len(chosen), f"The pictures are left out: the dataset {protocol['dataset']} is no longer there."
    crops, problems = [], []
    with contents:
        for one in chosen:
            try:
                crops.append(_read_crop(contents, one))
            except BloodcellError as error:
                crops.append(b"")
                problems.append(f"{one.file}: {error}")
    if not problems:
        return crops, ""
    return crops, f"{len(problems)} of these {len(chosen)} pictures cannot be shown; the first is {problems[0]}"


def _read_crop(contents: Contents, one: Any) -> bytes:
    data = contents.read(one.file)
    expected_sha256 = getattr(one, "sha256", "")
    if expected_sha256 and hashlib.sha256(data).hexdigest() != expected_sha256:
        raise DatasetError("It has changed since it was judged.")
    rgb, box = read_rgb(data), read_box(one)
    if box is None:
        whole = Box(0, 0, *rgb.shape[:2])
        return encode_jpeg(crop_cell(rgb, whole, CROP_PX, 1.0), 85)
    return encode_jpeg(crop_for_display(rgb, box, CROP_PX), 85)
