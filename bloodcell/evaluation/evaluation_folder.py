"""A finished evaluation in a folder of its own: the answers, how they were got, and the figures that follow."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.errors import RunError
from bloodcell.core.io import write_atomic
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.imaging.boxes import Box

PREDICTIONS_FILE, EVALUATION_FILE = "answers.parquet", "evaluation.json"
BOX_COLUMNS = ("top", "left", "bottom", "right")
PROB_PREFIX = "prob_"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """What a model answered on a labelled set.

    protocol : how it was got: title, model, model_sha256, dataset, part, groups, class_names, left_out (label that the
        model does not know -> images), created, seconds, versions, revision; to find the pictures again, dataset_id (""
        if not registered), dataset_sha256 and path; to repeat it, spec and data_dir of a job, or command
    answers : table, a row an image: file, label, prediction ("" where not answered), status, source_cell (int64), the
        cell's box (`BOX_COLUMNS`, -1 where there is none), `PROB_PREFIX` + class for each class (float32), and maybe leak (of
        `leak_check`, "" for none) and sha256 of the picture's bytes
    report : `evaluation.metrics.measure.compute_report` of it
    """

    protocol: dict[str, Any]
    answers: pd.DataFrame
    report: dict[str, Any]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in its order."""
        return tuple(self.protocol["class_names"])

    def predictions(self) -> Predictions:
        """The answers as arrays."""
        table, names = self.answers, self.class_names
        return Predictions(
            names,
            _encode_labels(table["label"], names),
            _encode_labels(table["prediction"], names),
            table[[PROB_PREFIX + name for name in names]].to_numpy(np.float32),
            table["status"].to_numpy(str),
            table["source_cell"].to_numpy(np.int64),
            table[list(BOX_COLUMNS)].to_numpy(np.int64),
        )


def build_prediction_table(files: Sequence[str], predictions: Predictions) -> pd.DataFrame:
    """The table of `Evaluation`; `files` are the N names of the images."""
    names = np.array([*predictions.class_names, ""])
    boxes = np.full((len(files), len(BOX_COLUMNS)), -1) if predictions.boxes is None else predictions.boxes
    columns: dict[str, Any] = {
        "file": list(files),
        "label": names[predictions.y_true],
        "prediction": names[predictions.y_pred],  # NOT_ANSWERED is -1: the last
        "status": predictions.status,
        "source_cell": predictions.groups.astype(np.int64),
    }
    columns |= {side: boxes[:, index] for index, side in enumerate(BOX_COLUMNS)}
    columns |= {PROB_PREFIX + name: predictions.probs[:, index] for index, name in enumerate(predictions.class_names)}
    return pd.DataFrame(columns)


def max_probabilities(answers: pd.DataFrame) -> np.ndarray:
    """Probability of each answer of `Evaluation.answers`, 0 where there is none; float (N,)."""
    return answers[[name for name in answers.columns if name.startswith(PROB_PREFIX)]].to_numpy(float).max(axis=1)


def read_box(one: Any) -> Box | None:
    """The cell that was answered for in a row of the answers; None where there is none."""
    sides = [int(getattr(one, side)) for side in BOX_COLUMNS]
    return Box(*sides) if sides[0] >= 0 else None


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write an evaluation into a folder that is there; its description last, so that it is there whole or not at all."""
    stream = io.BytesIO()
    evaluation.answers.to_parquet(stream, index=False)
    write_atomic(folder / PREDICTIONS_FILE, stream.getvalue())
    document = {"format": FORMAT_VERSION, "protocol": evaluation.protocol, "report": evaluation.report}
    write_atomic(folder / EVALUATION_FILE, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation.

    Raises
    ------
    RunError
        If it is gone, damaged, or of a later version of Bloodcell.
    """
    document = read_evaluation_summary(folder)
    try:
        answers = pd.read_parquet(folder / PREDICTIONS_FILE)
        found = Evaluation(document["protocol"], answers, document["report"])
        found.predictions()  # what is damaged shows here
    except OSError as error:
        raise RunError(f"The evaluation {folder.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The evaluation {folder.name} is damaged: {type(error).__name__}, {error}.") from error
    return found


def read_evaluation_summary(folder: Path) -> dict[str, Any]:
    """The protocol and report of an evaluation, without its answers; errors as `read_evaluation`."""
    try:
        document = json.loads((folder / EVALUATION_FILE).read_text(encoding="utf-8"))
        if document["format"] != FORMAT_VERSION:
            raise RunError(f"The evaluation {folder.name} is of another version of Bloodcell ({document['format']}).")
        return {name: dict(document[name]) for name in ("protocol", "report")}
    except OSError as error:
        raise RunError(f"The evaluation {folder.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"The evaluation {folder.name} is damaged: {type(error).__name__}, {error}.") from error


def _encode_labels(labels: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """Labels as numbers of classes, "" as `NO_PREDICTION`; KeyError for any other."""
    number = {name: index for index, name in enumerate(names)} | {"": NO_PREDICTION}
    return np.array([number[label] for label in labels], np.int64)
