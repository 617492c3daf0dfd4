"""Read back the result folders of experiments: JSON objects, tables, and one kind of error for all that is damaged."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell.core.errors import RunError
from bloodcell.training.specs.choices import METRICS

ReadJson = Callable[[str], dict[str, Any]]
_NUMBER_COLUMNS = (*METRICS, "mean", "sd", "min", "max", "trial", "fold", "epochs")


@contextmanager
def open_result(folder: Path) -> Iterator[ReadJson]:
    """Open a result folder; whatever is wrong with it, there or later in the block, becomes a RunError.

    Parameters
    ----------
    folder : Path
        The result folder.

    Yields
    ------
    callable
        Called with the name of a file, it returns the JSON object in it.

    Raises
    ------
    RunError
        If a file is missing or its content makes no sense.
    """

    def read_object(name: str) -> dict[str, Any]:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"{name} is not a JSON object")
        return content

    try:
        yield read_object
    except OSError as error:
        path = Path(error.filename or folder)
        raise RunError(f"The result cannot be read: {path} ({error.strerror}). Was the folder moved?") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"The result in {folder} is damaged: {type(error).__name__}, {error}.") from error


def build_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Build a table with these columns, in this order; numbers as numbers, NaN where there is none.

    Raises
    ------
    ValueError, KeyError, TypeError
        If there is no row, a column is missing, or a number is none.
    """
    table = pd.DataFrame(rows)[list(columns)]
    if table.empty:
        raise ValueError("no rows")
    return table.assign(**{name: pd.to_numeric(table[name]) for name in columns if name in _NUMBER_COLUMNS})


def parse_number(value: Any) -> float | None:
    """Parse a number that may be missing."""
    return None if value is None else float(value)


def parse_interval(bounds: Any) -> tuple[float, float]:
    """Parse the two bounds of an interval."""
    low, high = map(float, bounds)
    return low, high


def describe_trial_validation(train: Mapping[str, Any]) -> str:
    """Describe in one sentence which cells trials of the training spec `train`, as JSON, are measured on."""
    return f"Measured on fold {train['fold'] + 1} of {train['folds']}: source cells that no trial was trained on."


def collect_remarks(*sentences: Any) -> tuple[str, ...]:
    """Collect the sentences that are not empty."""
    return tuple(str(sentence) for sentence in sentences if sentence)
