"""The folders of figures that trials, k-fold and search leave in the workspace's runs, read back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell.core.errors import DatasetError, RunError
from bloodcell.core.io import read_csv
from bloodcell.training.output.result_folder import (
    BEST_FILE,
    KFOLD_FILE,
    METRICS,
    SEARCH_FILE,
    TRIALS_FILE,
    TRIALS_TABLE,
)


@dataclass(frozen=True)
class TrialsResult:
    """What trials gave.

    rule : of convergence, in words; converged : number of trials that did
    spread : table, a row a figure: mean, sd, min, max
    trials : table, a row a trial: trial, seed, the figures, epochs, converged, seconds
    remarks : what to know about the figures, a sentence each
    leaky : sources whose split has copies of one cell on both sides, so that the figures are too good
    """

    rule: str
    converged: int
    spread: pd.DataFrame
    trials: pd.DataFrame
    remarks: tuple[str, ...]
    leaky: tuple[str, ...]


@dataclass(frozen=True)
class KFoldResult:
    """What k-fold gave.

    figures : of `evaluation.metrics.measure.metrics`: images, source_cells, accuracy, interval, balanced_accuracy,
        balanced_interval, recall with its intervals, and, None where there is none, confident_right, held_back, ece;
        and log_loss, which may be None too
    folds : table, a row a fold: fold (from 0), images, source_cells and the figures
    """

    metrics: dict[str, Any]
    folds: pd.DataFrame
    remarks: tuple[str, ...]
    leaky: tuple[str, ...]


@dataclass(frozen=True)
class SearchResult:
    """What a search gave.

    figure : that the trials were judged by; is_less_better : whether its least is the best
    best : row of the best trial; space : setting -> {"low", "high", "log"} or {"choices"}
    trials : table, a row a trial that ended: trial, state, a column a setting, the figures, epochs, seconds
    importance : setting -> share of how much it matters; {} where too few trials tell
    spec : text of the best settings' file
    """

    metric: str
    is_minimised: bool
    best: dict[str, Any]
    space: dict[str, dict[str, Any]]
    trials: pd.DataFrame
    importance: dict[str, float]
    remarks: tuple[str, ...]
    leaky: tuple[str, ...]
    spec: str


def read_trials(folder: Path) -> TrialsResult:
    """Read the result of trials; RunError if the folder is gone or damaged."""
    with _open_result(folder) as found:
        given = found(TRIALS_FILE)
        validation = given["validation"]
        spread = pd.DataFrame([{"figure": name} | given["figures"][name] for name in METRICS])
        return TrialsResult(
            rule=str(given["rule"]),
            converged=int(given["converged"]),
            spread=_build_table(spread, ("figure", "mean", "sd", "min", "max")),
            trials=_build_table(given["trials"], ("trial", "seed", *METRICS, "epochs", "converged", "seconds")),
            remarks=_collect_remarks(_describe_validation(given["training"]), validation["note"]),
            leaky=tuple(map(str, validation["leaky"])),
        )


def read_kfold(folder: Path) -> KFoldResult:
    """Read the result of k-fold; RunError if the folder is gone or damaged."""
    with _open_result(folder) as found:
        given = found(KFOLD_FILE)
        counts = {name: int(given[name]) for name in ("images", "source_cells")}
        numbers = {name: float(given[name]) for name in ("accuracy", "balanced_accuracy")}
        perhaps = {name: _parse_number(given[name]) for name in ("log_loss", "confident_right", "held_back", "ece")}
        recall = {
            str(name): {
                "recall": _parse_number(one["recall"]),
                "interval": one["interval"] and _parse_interval(one["interval"]),
            }
            for name, one in given["recall"].items()
        }
        intervals = {name: _parse_interval(given[name]) for name in ("interval", "balanced_interval")}
        return KFoldResult(
            metrics=counts | numbers | perhaps | intervals | {"recall": recall},
            folds=_build_table(given["folds"], ("fold", "images", "source_cells", *METRICS)),
            remarks=_collect_remarks(given["protocol"], given["note"]),
            leaky=tuple(map(str, given["leaky"])),
        )


def read_search(folder: Path) -> SearchResult:
    """Read the result of a search; RunError if the folder is gone or damaged."""
    with _open_result(folder) as found:
        given = found(SEARCH_FILE)
        space = given["search"]["space"]
        judged = given["judged_by"]
        return SearchResult(
            metric=METRICS[METRICS.index(judged["figure"])],
            is_minimised=judged["direction"] == "minimize",
            best={"trial": int(given["best"]["trial"])}
            | {name: given["best"][name] for name in space}
            | {name: _parse_number(given["best"][name]) for name in METRICS},
            space={name: dict(values) for name, values in space.items()},
            trials=_build_table(given["trials"], ("trial", "state", *space, *METRICS, "epochs", "seconds")),
            importance={name: float(share) for name, share in given["importance"].items()},
            remarks=_collect_remarks(
                _describe_validation(given["search"]["base"]),
                "The best of the trials was chosen by these cells, so its figures are too kind.",
                given["note"],
            ),
            leaky=tuple(map(str, given["leaky"])),
            spec=json.dumps(found(BEST_FILE), indent=2) + "\n",
        )


def read_trials_so_far(work_dir: Path) -> list[dict[str, str]]:
    """The rows of the trials that have ended in the folder of a job, as texts; none before the first."""
    try:
        return read_csv(work_dir / TRIALS_TABLE, ("trial",))
    except DatasetError:
        return []


@contextmanager
def _open_result(folder: Path) -> Iterator[Any]:
    """Give what reads a JSON object of a folder; whatever is wrong with it, there or later, becomes a RunError."""

    def found(name: str) -> dict[str, Any]:
        given = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise TypeError(f"{name} holds no object")
        return given

    try:
        yield found
    except OSError as error:
        place = Path(error.filename or folder)
        raise RunError(f"The figures cannot be read: {place} ({error.strerror}). Was the folder moved?") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"The figures in {folder} are damaged: {type(error).__name__}, {error}.") from error


def _build_table(rows: pd.DataFrame | Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A table with these columns, in this order; figures as numbers, NaN where there is none."""
    table = pd.DataFrame(rows)[list(columns)]
    if table.empty:
        raise ValueError("no rows")
    numbers = [name for name in columns if name in (*METRICS, "mean", "sd", "min", "max", "trial", "fold", "epochs")]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})


def _parse_number(value: Any) -> float | None:
    return None if value is None else float(value)


def _parse_interval(bounds: Any) -> tuple[float, float]:
    low, high = map(float, bounds)
    return low, high


def _describe_validation(train: Mapping[str, Any]) -> str:
    return f"Judged on part {train['fold'] + 1} of {train['folds']}: source cells that no trial learned from."


def _collect_remarks(*sentences: Any) -> tuple[str, ...]:
    return tuple(str(sentence) for sentence in sentences if sentence)
