"""Label errors that people have marked in a registered dataset, stored beside its registration; the data stay unchanged."""

import json
from dataclasses import asdict, dataclass
from typing import Final

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.io import encode_csv, write_atomic
from bloodcell.datasets.catalog.registration import Dataset

_FILE: Final = "label_errors.json"
HEADER: Final = ("file", "label", "suggested", "who", "when")


@dataclass(frozen=True)
class LabelError:
    """An image whose label a person has marked as wrong.

    Attributes
    ----------
    file : str
        The image's path in the dataset.
    label : str
        Its label in the dataset.
    suggested : str
        The correct class, "" if none was suggested.
    who : str
        Who marked it.
    when : str
        When it was marked, ISO in UTC.
    """

    file: str
    label: str
    suggested: str
    who: str
    when: str


def read_label_errors(dataset: Dataset) -> dict[str, LabelError]:
    """Read the marks: file -> mark, in the order in which they were made; DatasetError if they are damaged."""
    try:
        rows = json.loads((dataset.folder / _FILE).read_text(encoding="utf-8"))
        return {row["file"]: LabelError(**row) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The marked label errors of {dataset.name} are damaged: {error}.") from error


def mark_label_error(dataset: Dataset, file: str, label: str, suggested: str, who: str) -> None:
    """Mark a label as wrong, replacing an earlier mark; StoreError if the workspace cannot be written to."""
    when = now_utc()
    _write(dataset, read_label_errors(dataset) | {file: LabelError(file, label, suggested, who, when)})


def unmark_label_error(dataset: Dataset, file: str) -> None:
    """Remove a mark; nothing happens if there is none."""
    marks = read_label_errors(dataset)
    marks.pop(file, None)
    _write(dataset, marks)


def encode_label_errors_csv(dataset: Dataset) -> bytes:
    """Write one row for each mark, with the columns of `HEADER`; UTF-8 with BOM, for spreadsheets."""
    return encode_csv(HEADER, [tuple(asdict(mark).values()) for mark in read_label_errors(dataset).values()], bom=True)


def _write(dataset: Dataset, marks: dict[str, LabelError]) -> None:
    text = json.dumps([asdict(mark) for mark in marks.values()], indent=1)
    try:
        write_atomic(dataset.folder / _FILE, text.encode())
    except OSError as error:
        raise StoreError(f"The workspace {dataset.folder} cannot be written to: {error.strerror}.") from error
