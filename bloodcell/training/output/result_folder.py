"""The result folder of trials, k-fold and search: metrics as JSON, tables as CSV, the history of every fit."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bloodcell.core.io import encode_csv, write_atomic
from bloodcell.model_store.folder import SPEC_FILE
from bloodcell.training.output.history import HistoryRow, write_history

# Inside a run's working folder, from which it is moved once it is whole.
RESULT_DIR = "result"
HISTORIES_DIR = "history"
TRIALS_FILE, KFOLD_FILE, SEARCH_FILE = "trials.json", "kfold.json", "search.json"
# One row per trial: in the result folder, and before that in the folder of the run.
TRIALS_TABLE = "trials.csv"
BEST_FILE = SPEC_FILE
# States of the trials of a search.
DONE, GIVEN_UP, DIVERGED, IMPOSSIBLE, BROKEN_OFF = "done", "given up", "diverged", "impossible", "broken off"


def create_result_folder(work_dir: Path) -> Path:
    """Create the result folder of a run, empty."""
    folder = work_dir / RESULT_DIR
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, whole; the columns are those of the first row, None is an empty cell."""
    header = list(rows[0]) if rows else []
    cells = [["" if row.get(name) is None else row[name] for name in header] for row in rows]
    write_atomic(path, encode_csv(header, cells, bom=False))


def write_histories(folder: Path, rows: Sequence[HistoryRow], noun: str) -> None:
    """Write the epochs of each fit to a table of its own, history/<noun>-<number of the fit>.csv."""
    histories = folder / HISTORIES_DIR
    histories.mkdir()
    for fit in sorted({row.fit for row in rows}):
        write_history(histories / f"{noun}-{fit}.csv", [row for row in rows if row.fit == fit])
