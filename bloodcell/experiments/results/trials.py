"""The result folder of trials: written at their end, read back for pages and comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import read_csv, write_json
from bloodcell.experiments.results.parsing import build_table, collect_remarks, describe_trial_validation, open_result
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.output.result_folder import (
    TRIALS_FILE,
    TRIALS_TABLE,
    create_result_folder,
    write_histories,
    write_table,
)
from bloodcell.training.specs.choices import METRICS
from bloodcell.training.specs.trials_spec import Spread


class TrialRow(TypedDict):
    """One trial, a row of trials.csv; losses are those of its first and last epoch, None where they are not finite."""

    trial: int
    seed: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float | None
    epochs: int
    first_loss: float | None
    last_loss: float | None
    converged: bool
    seconds: int | None


class TrialsValidation(TypedDict):
    """The cells that trials are measured on; `no_cell` counts the images of each source without a white cell."""

    protocol: str
    leaky: list[str]
    note: str
    images: int
    source_cells: int
    no_cell: dict[str, int]


class TrialsSummary(TypedDict):
    """The contents of trials.json; `rule` is that of convergence, in words, `figures` the spread of each metric."""

    kind: Literal["trials"]
    name: str
    n: int
    rule: str
    converged: int
    converged_share: float
    figures: dict[str, Spread]
    validation: TrialsValidation
    trials: list[TrialRow]
    seconds: int
    training: dict[str, Any]


def write_trials(work_dir: Path, summary: TrialsSummary, history: Sequence[HistoryRow]) -> None:
    """Write the folder `result` of trials: trials.json, trials.csv and the history of each trial."""
    folder = create_result_folder(work_dir)
    write_json(folder / TRIALS_FILE, summary)
    write_table(folder / TRIALS_TABLE, summary["trials"])
    write_histories(folder, history, "trial")


@dataclass(frozen=True)
class TrialsResult:
    """The result of trials, as pages show it.

    Attributes
    ----------
    rule : str
        When a trial has converged, in words.
    converged : int
        Number of trials that have.
    spread : DataFrame
        One row per metric: figure (its name), mean, sd, min, max.
    trials : DataFrame
        One row per trial: trial, seed, the metrics, epochs, converged, seconds.
    remarks : tuple of str
        What to know about the metrics, one sentence each.
    leaky : tuple of str
        Sources whose split has copies of one cell on both sides, so that the metrics are too good.
    """

    rule: str
    converged: int
    spread: pd.DataFrame
    trials: pd.DataFrame
    remarks: tuple[str, ...]
    leaky: tuple[str, ...]


def read_trials(folder: Path) -> TrialsResult:
    """Read the result of trials; RunError if the folder is gone or damaged."""
    with open_result(folder) as read_object:
        summary = read_object(TRIALS_FILE)
        validation = summary["validation"]
        spread = [{"figure": name} | summary["figures"][name] for name in METRICS]
        return TrialsResult(
            rule=str(summary["rule"]),
            converged=int(summary["converged"]),
            spread=build_table(spread, ("figure", "mean", "sd", "min", "max")),
            trials=build_table(summary["trials"], ("trial", "seed", *METRICS, "epochs", "converged", "seconds")),
            remarks=collect_remarks(describe_trial_validation(summary["training"]), validation["note"]),
            leaky=tuple(map(str, validation["leaky"])),
        )


def read_trials_so_far(work_dir: Path) -> list[dict[str, str]]:
    """Read the rows of the trials that have ended in the folder of a job, as text; none before the first."""
    try:
        return read_csv(work_dir / TRIALS_TABLE, ("trial",))
    except DatasetError:
        return []
