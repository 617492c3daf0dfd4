"""The result folder of k-fold cross-validation: written at its end, read back for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from bloodcell.core.io import write_atomic, write_json
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.splits.split import Split
from bloodcell.datasets.splits.split_file import encode_split_csv
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.predict import format_predictions_csv
from bloodcell.experiments.results.parsing import (
    build_table,
    collect_remarks,
    open_result,
    parse_interval,
    parse_number,
)
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.output.result_folder import (
    KFOLD_FILE,
    create_result_folder,
    write_histories,
    write_table,
)
from bloodcell.training.specs.choices import METRICS

FOLDS_TABLE, PREDICTIONS_FILE, SPLIT_FILE = "folds.csv", "predictions.csv", "split.csv"


class FoldRow(TypedDict):
    """Metrics on one held-out fold, counted from 0: a row of folds.csv."""

    fold: int
    images: int
    source_cells: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float | None


def write_k_fold(
    work_dir: Path,
    summary: dict[str, Any],
    predictions: Predictions,
    split: Split,
    history: Sequence[HistoryRow],
) -> None:
    """Write the folder `result` of k-fold cross-validation.

    Parameters
    ----------
    work_dir : Path
        Folder of the run.
    summary : dict
        Contents of kfold.json; its "folds" are `FoldRow`.
    predictions : Predictions
        Of all cells, each by the fit that held it out.
    split : Split
        The fold of each of these cells, in the same order.
    history : sequence of HistoryRow
        Epochs of all fits.
    """
    folder = create_result_folder(work_dir)
    write_json(folder / KFOLD_FILE, summary)
    write_table(folder / FOLDS_TABLE, summary["folds"])
    records = [Record(row.file, row.label) for row in split.table.itertuples()]
    write_atomic(folder / PREDICTIONS_FILE, format_predictions_csv(records, predictions).encode())
    write_atomic(folder / SPLIT_FILE, encode_split_csv(split))
    write_histories(folder, history, "fold")


@dataclass(frozen=True)
class KFoldResult:
    """The result of k-fold cross-validation, as pages show it.

    Attributes
    ----------
    metrics : dict
        images, source_cells, accuracy, interval, balanced_accuracy, balanced_interval, recall with its intervals, and,
        None where it is undefined, confident_right, held_back, ece and log_loss.
    folds : DataFrame
        One row per fold: fold (from 0), images, source_cells and the metrics.
    remarks : tuple of str
        What to know about the metrics, one sentence each.
    leaky : tuple of str
        Sources whose split has copies of one cell on both sides, so that the metrics are too good.
    """

    metrics: dict[str, Any]
    folds: pd.DataFrame
    remarks: tuple[str, ...]
    leaky: tuple[str, ...]


def read_kfold(folder: Path) -> KFoldResult:
    """Read the result of k-fold cross-validation; RunError if the folder is gone or damaged."""
    with open_result(folder) as read_object:
        summary = read_object(KFOLD_FILE)
        return KFoldResult(
            metrics=_parse_metrics(summary),
            folds=build_table(summary["folds"], ("fold", "images", "source_cells", *METRICS)),
            remarks=collect_remarks(summary["protocol"], summary["note"]),
            leaky=tuple(map(str, summary["leaky"])),
        )


def _parse_metrics(summary: dict[str, Any]) -> dict[str, Any]:
    counts = {name: int(summary[name]) for name in ("images", "source_cells")}
    numbers = {name: float(summary[name]) for name in ("accuracy", "balanced_accuracy")}
    optional = {name: parse_number(summary[name]) for name in ("log_loss", "confident_right", "held_back", "ece")}
    intervals = {name: parse_interval(summary[name]) for name in ("interval", "balanced_interval")}
    recall = {
        str(name): {
            "recall": parse_number(part["recall"]),
            "interval": part["interval"] and parse_interval(part["interval"]),
        }
        for name, part in summary["recall"].items()
    }
    return counts | numbers | optional | intervals | {"recall": recall}
