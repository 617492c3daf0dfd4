"""Read a CSV with a header as text, whichever delimiter a spreadsheet used."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.sources.contents import Contents, Problem

MAX_TABLE_BYTES: Final = 64 * 2**20

_DELIMITERS: Final = ",;\t"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes
    ----------
    csv : str
        Its name in the dataset, or its whole path.
    columns : tuple of str
        Names of the columns, in order.
    rows : tuple of (int, dict of str to str)
        Row number in a spreadsheet, and the stripped text of each column.
    problems : tuple of Problem
        Rows that could not be read.
    """

    csv: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    problems: tuple[Problem, ...]


def read_table(contents: Contents, csv_name: str) -> Table:
    """Read a CSV with a header, delimited by comma, semicolon or tab, whichever gives the most columns.

    An apostrophe before a formula sign, as Bloodcell's own exports write it, is removed.

    Parameters
    ----------
    contents : Contents
        The dataset.
    csv_name : str
        A file of the dataset, or the whole path of one elsewhere.

    Returns
    -------
    Table

    Raises
    ------
    DatasetError
        If it does not exist, is not UTF-8 text, is larger than `MAX_TABLE_BYTES`, is wrongly quoted, has no rows,
        fewer than two columns, or two columns of the same name.
    """
    name = Path(csv_name).name
    try:
        text = _read_table_bytes(contents, csv_name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} must be UTF-8 text; save it as CSV UTF-8.") from error
    header_line = next(iter(text.splitlines()), "")
    delimiter = max(_DELIMITERS, key=lambda sign: len(next(csv.reader([header_line], delimiter=sign), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = enumerate(next(reader, []), start=1)
        columns = tuple(column.strip() or f"column {number}" for number, column in header)
        raw_rows = list(reader)
    except csv.Error as error:
        raise DatasetError(f"{name} is not a valid CSV from line {reader.line_num} on: {error}.") from error
    twice = [column for column in columns if columns.count(column) > 1]
    if len(columns) < 2 or twice or not any(raw_rows):
        received = f"two columns named {twice[0]!r}" if twice else f"the columns {list(columns)}, {len(raw_rows)} rows"
        raise DatasetError(
            f"{name} must have rows and a header with at least two columns of different names. Received: {received}."
        )
    rows, problems = [], []
    for number, cells in enumerate(raw_rows, start=2):
        if len(cells) > len(columns):
            reason = f"The row has {len(cells)} cells where the header has {len(columns)}."
            problems.append(Problem(format_row_name(csv_name, number), reason))
        elif cells:
            padded = [*map(_clean_cell, cells), *[""] * (len(columns) - len(cells))]
            rows.append((number, dict(zip(columns, padded, strict=True))))
    return Table(csv_name, columns, tuple(rows), tuple(problems))


def _read_table_bytes(contents: Contents, csv_name: str) -> bytes:
    try:
        if csv_name in contents.files:
            n_bytes = contents.files[csv_name].n_bytes
        elif Path(csv_name).is_absolute():
            n_bytes = Path(csv_name).stat().st_size
        else:
            raise DatasetError(f"There is no table {csv_name} in {contents.path}.")
        if n_bytes > MAX_TABLE_BYTES:
            raise DatasetError(
                f"A table may have at most {MAX_TABLE_BYTES:,} bytes. Received: {csv_name} with {n_bytes:,}."
            )
        return contents.read(csv_name) if csv_name in contents.files else Path(csv_name).read_bytes()
    except OSError as error:
        raise DatasetError(f"The table {csv_name} cannot be read: {error.strerror}.") from error


def format_row_name(csv_name: str, number: int) -> str:
    """Name a row in a problem; `number` is as in a spreadsheet, where the header is row 1."""
    return f"{Path(csv_name).name}, row {number}"


def _clean_cell(cell: str) -> str:
    if cell.startswith("'") and cell[1:].startswith(_FORMULA_STARTS):
        cell = cell[1:]
    return cell.strip()
