"""Wrong labels that people have marked in a registered dataset, kept beside its registration; the data stay as they are."""

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
    """A picture whose label somebody holds to be wrong.

    file : of the picture in the dataset
    label : as the dataset has it
    suggested : the right class, "" where nobody said
    who, when : by whom and when it was marked, ISO in UTC
    """

    file: str
    label: str
    suggested: str
    who: str
    when: str


def read_label_errors(dataset: Dataset) -> dict[str, LabelError]:
    """File -> mark, in the order in which they were made; DatasetError if they are damaged."""
    try:
        rows = json.loads((dataset.folder / _FILE).read_text(encoding="utf-8"))
        return {row["file"]: LabelError(**row) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The marked label errors of {dataset.name} are damaged: {error}.") from error


def mark_label_error(dataset: Dataset, file: str, label: str, suggested: str, who: str) -> None:
    """Mark a label as wrong, in place of an earlier mark; StoreError if the workspace cannot be written to."""
    when = now_utc()
    _write(dataset, read_label_errors(dataset) | {file: LabelError(file, label, suggested, who, when)})


def unmark_label_error(dataset: Dataset, file: str) -> None:
    """Take a mark back; nothing happens where there is none."""
    _write(
        dataset, {marked_file: mark for marked_file, mark in read_label_errors(dataset).items() if marked_file != file}
    )


def encode_label_errors_csv(dataset: Dataset) -> bytes:
    """A row a mark, with the columns of `HEADER`; UTF-8 with BOM, for spreadsheets."""
    return encode_csv(HEADER, [tuple(asdict(mark).values()) for mark in read_label_errors(dataset).values()], bom=True)


def _write(dataset: Dataset, marks: dict[str, LabelError]) -> None:
    text = json.dumps([asdict(mark) for mark in marks.values()], indent=1)
    try:
        write_atomic(dataset.folder / _FILE, text.encode())
    except OSError as error:
        raise StoreError(f"The workspace {dataset.folder} cannot be written to: {error.strerror}.") from error
