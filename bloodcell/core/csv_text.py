"""CSV as Bloodcell writes and reads it: UTF-8, CR LF, and no text that a spreadsheet would run as a formula."""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bloodcell.core.errors import DatasetError

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def encode_csv(header: Iterable[str], rows: Iterable[Iterable[Any]], bom: bool = True) -> bytes:
    """Write a header and rows as CSV for spreadsheets: UTF-8, CR LF, texts escaped by `escape_formula`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([escape_formula(value) if isinstance(value, str) else value for value in row] for row in rows)
    return (codecs.BOM_UTF8 if bom else b"") + text.getvalue().encode("utf-8")


def escape_formula(text: str) -> str:
    """Put a quote before text that a spreadsheet would run as a formula: after = + - @ TAB or CR."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def unescape_formula(text: str) -> str:
    """Take away the quote that `escape_formula` puts there; a text that began with ' and = by itself loses its quote too."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table with a header, its texts unescaped.

    Parameters
    ----------
    path : Path of a CSV in UTF-8, with or without BOM
    columns : names that must be in its header; others may be there too

    Returns
    -------
    list of dict, column -> text; cells that a short row lacks are ""

    Raises
    ------
    DatasetError
        If the file cannot be read, is not UTF-8 or no CSV, or lacks a column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"The table {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} must be text in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DatasetError(f"{path.name} is no CSV after line {reader.line_num}: {error}.") from error
    found = list(reader.fieldnames or [])
    missing = [name for name in columns if name not in found]
    if missing:
        raise DatasetError(
            f"{path.name} must have the columns {', '.join(columns)}. Found: {', '.join(found) or 'none'}."
        )
    return [{name: unescape_formula(value) for name, value in row.items() if isinstance(value, str)} for row in rows]
