"""Files that are there whole or not at all; JSON; CSV in UTF-8 with CR LF and no text that a spreadsheet would run."""

import codecs
import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from bloodcell.core.errors import DatasetError

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: beside `path`, flushed to the disk, then renamed.

    Raises
    ------
    OSError
        If the disk is full or refuses; what was at `path` before is still there, the temporary file is gone.
    """
    with open_atomic(path) as stream:
        stream.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content is at `path` after the block, as by `write_atomic`, unless the block failed."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all, indented by 2, with a line end; errors as for `write_atomic`."""
    write_atomic(path, (json.dumps(content, indent=2) + "\n").encode())


def find_data_dir(path: Path | str) -> Path:
    """Return `path` as the folder that the paths in a spec start from; DatasetError if there is no such folder."""
    data_dir = Path(path)
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    return data_dir


def encode_csv(header: Iterable[str], rows: Iterable[Iterable[Any]], bom: bool = True) -> bytes:
    r"""Encode a table as CSV for spreadsheets: UTF-8, CR LF, texts escaped by `escape_formula`.

    Parameters
    ----------
    header : iterable of str
    rows : iterable of rows
        Numbers stay as they are, also negative ones.
    bom : bool, default True
        Whether to begin with a byte order mark, from which Excel sees that it is UTF-8.

    Returns
    -------
    bytes

    Examples
    --------
    >>> encode_csv(("file", "n"), [("a.png", 2), ("=b.png", -1)], bom=False)
    b"file,n\r\na.png,2\r\n'=b.png,-1\r\n"
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([escape_formula(value) if isinstance(value, str) else value for value in row] for row in rows)
    return (codecs.BOM_UTF8 if bom else b"") + text.getvalue().encode("utf-8")


def escape_formula(text: str) -> str:
    """Put a quote before text that a spreadsheet would run as a formula: after = + - @ TAB or CR.

    Examples
    --------
    >>> escape_formula("=1+1"), escape_formula("a=1")
    ("'=1+1", 'a=1')
    """
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def unescape_formula(text: str) -> str:
    """Remove the quote that `escape_formula` puts there; text that began with ' and = by itself loses its quote too."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table with a header, its texts unescaped.

    Parameters
    ----------
    path : Path
        A CSV in UTF-8, with or without byte order mark.
    columns : sequence of str
        What must be in its header; other columns may be there too.

    Returns
    -------
    list of dict
        Column to text; a cell that a short row lacks is "", what a long row has beyond the header is left out.

    Raises
    ------
    DatasetError
        If the file cannot be read, is not UTF-8 or not CSV, or lacks a column.
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
        raise DatasetError(f"{path.name} is not valid CSV after line {reader.line_num}: {error}.") from error
    header = list(reader.fieldnames or [])
    if any(name not in header for name in columns):
        received = ", ".join(header) or "none"
        raise DatasetError(f"{path.name} must have the columns {', '.join(columns)}. Received: {received}.")
    return [{name: unescape_formula(value) for name, value in row.items() if isinstance(value, str)} for row in rows]
