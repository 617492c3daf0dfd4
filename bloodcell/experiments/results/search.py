"""The result folder of a search: written at its end, read back for pages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pandas as pd

from bloodcell.core.io import write_json
from bloodcell.experiments.results.parsing import (
    build_table,
    collect_remarks,
    describe_trial_validation,
    open_result,
    parse_number,
)
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.output.result_folder import (
    BEST_FILE,
    SEARCH_FILE,
    TRIALS_TABLE,
    create_result_folder,
    write_histories,
    write_table,
)
from bloodcell.training.specs.choices import METRICS
from bloodcell.training.specs.train_spec import TrainSpec

# Number, state, settings, metrics, epochs, seconds and fit of a trial; its columns follow the settings that are searched.
SearchRow = dict[str, Any]


class SearchSummary(TypedDict):
    """The contents of search.json.

    `judged_by` is the metric that trials are compared by and its direction, `best` the row of the best trial,
    `importance` the share of each setting (Optuna's PED-ANOVA; {} with too few trials), `search` the search spec.
    """

    kind: Literal["search"]
    name: str
    judged_by: dict[str, str]
    protocol: str
    note: str
    leaky: list[str]
    best: SearchRow
    importance: dict[str, float]
    trials: list[SearchRow]
    seconds: int
    search: dict[str, Any]


def write_search(work_dir: Path, summary: SearchSummary, best_spec: TrainSpec, history: Sequence[HistoryRow]) -> None:
    """Write the folder `result` of a search: search.json, trials.csv, spec.json (the best settings), histories."""
    folder = create_result_folder(work_dir)
    write_json(folder / SEARCH_FILE, summary)
    write_table(folder / TRIALS_TABLE, summary["trials"])
    write_json(folder / BEST_FILE, best_spec.to_dict())
    write_histories(folder, history, "trial")


@dataclass(frozen=True)
class SearchResult:
    """The result of a search, as pages show it.

    Attributes
    ----------
    metric : str
        Metric that the trials are compared by.
    is_minimised : bool
        Whether its smallest value is the best.
    best : dict
        Row of the best trial.
    space : dict of str to dict
        Setting -> {"low", "high", "log"} or {"choices"}.
    trials : DataFrame
        One row per trial that ended: trial, state, a column per setting, the metrics, epochs, seconds.
    importance : dict of str to float
        Setting -> share of how much it matters; {} with too few trials.
    remarks : tuple of str
        What to know about the metrics, one sentence each.
    leaky : tuple of str
        Sources whose split has copies of one cell on both sides, so that the metrics are too good.
    spec : str
        The training spec with the best settings, as JSON text.
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


def read_search(folder: Path) -> SearchResult:
    """Read the result of a search; RunError if the folder is gone or damaged."""
    with open_result(folder) as read_object:
        summary = read_object(SEARCH_FILE)
        space, judged_by, best = summary["search"]["space"], summary["judged_by"], summary["best"]
        return SearchResult(
            metric=METRICS[METRICS.index(judged_by["figure"])],
            is_minimised=judged_by["direction"] == "minimize",
            best={"trial": int(best["trial"])}
            | {name: best[name] for name in space}
            | {name: parse_number(best[name]) for name in METRICS},
            space={name: dict(values) for name, values in space.items()},
            trials=build_table(summary["trials"], ("trial", "state", *space, *METRICS, "epochs", "seconds")),
            importance={name: float(share) for name, share in summary["importance"].items()},
            remarks=collect_remarks(
                describe_trial_validation(summary["search"]["base"]),
                "The best trial was chosen on these cells, so its metrics are too good.",
                summary["note"],
            ),
            leaky=tuple(map(str, summary["leaky"])),
            spec=json.dumps(read_object(BEST_FILE), indent=2) + "\n",
        )
