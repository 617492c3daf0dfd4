"""A finished evaluation in a folder of its own: predictions, protocol and report."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from bloodcell.core.errors import RunError
from bloodcell.core.io import write_atomic
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.report import EvaluationReport
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.imaging.boxes import Box

PREDICTIONS_FILE, EVALUATION_FILE = "answers.parquet", "evaluation.json"
BOX_COLUMNS: Final = ("top", "left", "bottom", "right")
PROB_PREFIX: Final = "prob_"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a model on a labelled set, and what follows from them.

    Attributes
    ----------
    protocol : EvaluationProtocol
        How it was made.
    prediction_table : DataFrame
        A row for each image: file, label, prediction ("" where there is none), status, source_cell (int64), the cell's
        box (`BOX_COLUMNS`, -1 where there is none), `PROB_PREFIX` + class for each class (float32); leak (of
        `leak_check`, "" for none) and sha256 of the image's bytes where they were checked.
    report : EvaluationReport
        `compute_report` of them.
    """

    protocol: EvaluationProtocol
    prediction_table: pd.DataFrame
    report: EvaluationReport

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in its order."""
        return self.protocol.class_names

    def to_predictions(self) -> Predictions:
        """Return the predictions as arrays."""
        return parse_prediction_table(self.prediction_table, self.class_names)


def build_prediction_table(files: Sequence[str], predictions: Predictions) -> pd.DataFrame:
    """Build the prediction table of `Evaluation`; `files` are the N names of the images."""
    names = np.array([*predictions.class_names, ""])
    boxes = np.full((len(files), len(BOX_COLUMNS)), -1) if predictions.boxes is None else predictions.boxes
    columns: dict[str, Any] = {
        "file": list(files),
        "label": names[predictions.y_true],
        "prediction": names[predictions.y_pred],  # NO_PREDICTION is -1: the last
        "status": predictions.status,
        "source_cell": predictions.groups.astype(np.int64),
    }
    columns |= {side: boxes[:, index] for index, side in enumerate(BOX_COLUMNS)}
    columns |= {PROB_PREFIX + name: predictions.probs[:, index] for index, name in enumerate(predictions.class_names)}
    return pd.DataFrame(columns)


def parse_prediction_table(table: pd.DataFrame, class_names: tuple[str, ...]) -> Predictions:
    """Return a prediction table as arrays; KeyError for a label that is none of the classes."""
    return Predictions(
        class_names,
        _encode_labels(table["label"], class_names),
        _encode_labels(table["prediction"], class_names),
        table[[PROB_PREFIX + name for name in class_names]].to_numpy(np.float32),
        table["status"].to_numpy(str),
        table["source_cell"].to_numpy(np.int64),
        table[list(BOX_COLUMNS)].to_numpy(np.int64),
    )


def _encode_labels(labels: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """Encode labels as class numbers, "" as `NO_PREDICTION`."""
    number = {name: index for index, name in enumerate(names)} | {"": NO_PREDICTION}
    return np.array([number[label] for label in labels], np.int64)


def max_probabilities(prediction_table: pd.DataFrame) -> np.ndarray:
    """Return the probability of each predicted class, 0 where there is no prediction; ndarray of float64, shape (N,)."""
    columns = [name for name in prediction_table.columns if name.startswith(PROB_PREFIX)]
    maxima: np.ndarray = prediction_table[columns].to_numpy(float).max(axis=1)
    return maxima


def read_box(row: Any) -> Box | None:
    """Return the box of the predicted cell in a row of the prediction table; None where there is none."""
    sides = [int(getattr(row, side)) for side in BOX_COLUMNS]
    return Box(*sides) if sides[0] >= 0 else None


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write an evaluation into an existing folder; evaluation.json last, so that it is there whole or not at all."""
    stream = io.BytesIO()
    evaluation.prediction_table.to_parquet(stream, index=False)
    write_atomic(folder / PREDICTIONS_FILE, stream.getvalue())
    document = {
        "format": FORMAT_VERSION,
        "protocol": evaluation.protocol.to_dict(),
        "report": evaluation.report.to_dict(),
    }
    write_atomic(folder / EVALUATION_FILE, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation.

    Raises
    ------
    RunError
        If it is gone, damaged, or of a later version of Bloodcell.
    """
    protocol, report = read_evaluation_summary(folder)
    try:
        prediction_table = pd.read_parquet(folder / PREDICTIONS_FILE)
        evaluation = Evaluation(protocol, prediction_table, report)
        evaluation.to_predictions()  # a damaged table fails here
    except OSError as error:
        raise RunError(f"The evaluation {folder.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The evaluation {folder.name} is damaged: {type(error).__name__}, {error}.") from error
    return evaluation


def read_evaluation_summary(folder: Path) -> tuple[EvaluationProtocol, EvaluationReport]:
    """Read protocol and report of an evaluation, without its predictions; errors as `read_evaluation`."""
    try:
        document = json.loads((folder / EVALUATION_FILE).read_text(encoding="utf-8"))
        if document["format"] != FORMAT_VERSION:
            raise RunError(f"The evaluation {folder.name} is of another version of Bloodcell ({document['format']}).")
        return EvaluationProtocol.from_dict(document["protocol"]), EvaluationReport.from_dict(document["report"])
    except OSError as error:
        raise RunError(f"The evaluation {folder.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The evaluation {folder.name} is damaged: {type(error).__name__}, {error}.") from error
