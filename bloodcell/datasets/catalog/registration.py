"""The files of a registered dataset: `dataset.json`, and the tables beside it.

`dataset.json` is written last and names the tables, so that a reader sees either the old state or the new one.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import write_atomic
from bloodcell.datasets.labels.layouts import LayoutChoice, Listing
from bloodcell.datasets.labels.tables import TableChoice

VERSION: Final = 1
DESCRIPTION: Final = "dataset.json"


@dataclass(frozen=True)
class Dataset:
    """One registered dataset, as of its last scan.

    Attributes
    ----------
    id : str
        Name of its folder in the workspace.
    name : str
        Its name for people; unique in the workspace without regard to case.
    path : Path
        Folder or zip with the images.
    is_zip : bool
        Whether `path` is a zip.
    choice : LayoutChoice
        How it is read.
    class_names, splits : tuple of str
        Sorted.
    n_images : int
        Labelled images, including unreadable ones.
    n_unreadable : int
        Unreadable images.
    n_problems : int
        Other problems: files and rows of a table without a labelled image.
    fingerprint : str
        SHA-256 over file, label, split and SHA-256 of each image; equal wherever the same dataset lies.
    created_at, scanned_at : str
        ISO in UTC.
    folder : Path
        Folder of its registration.
    """

    id: str
    name: str
    path: Path
    is_zip: bool
    choice: LayoutChoice
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    n_images: int
    n_unreadable: int
    n_problems: int
    fingerprint: str
    created_at: str
    scanned_at: str
    folder: Path


def read_dataset(folder: Path) -> Dataset:
    """Read a registration; DatasetError if it is damaged or of another version of Bloodcell."""
    values = read_description(folder)
    try:
        described = dict(values["dataset"])
        table = described["choice"]["table"]
        choice = LayoutChoice(**{**described["choice"], "table": None if table is None else TableChoice(**table)})
        return Dataset(
            **{
                **described,
                "path": Path(described["path"]),
                "choice": choice,
                "class_names": tuple(described["class_names"]),
                "splits": tuple(described["splits"]),
                "folder": folder,
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"The registration {folder.name} is damaged; remove it and register the dataset again."
        ) from error


def read_dataset_table(dataset: Dataset, name: Literal["images", "problems", "stored"]) -> pd.DataFrame:
    """Read one of the tables of a registration; DatasetError if it cannot be read."""
    try:
        return pd.read_parquet(dataset.folder / Path(read_description(dataset.folder)["tables"][name]).name)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"The registration {dataset.id} is damaged; remove it and register the dataset again."
        ) from error


def write_dataset(folder: Path, dataset: Dataset, listing: Listing, table: pd.DataFrame) -> Dataset:
    """Write the tables under new names, then the description that names them."""
    stamp = secrets.token_hex(4)
    problems = pd.DataFrame([asdict(problem) for problem in listing.problems], columns=["file", "reason"], dtype="str")
    stored_files = pd.DataFrame(
        [asdict(stored_file) for stored_file in listing.stored_files], columns=["file", "n_bytes", "stamp"]
    )
    tables = {}
    for name, rows in (("images", table), ("problems", problems), ("stored", stored_files)):
        tables[name] = f"{name}-{stamp}.parquet"
        rows.to_parquet(folder / tables[name], index=False)
    values: dict[str, Any] = asdict(dataset) | {"path": os.fspath(dataset.path)}
    del values["folder"]
    text = json.dumps({"version": VERSION, "dataset": values, "tables": tables}, indent=2)
    write_atomic(folder / DESCRIPTION, text.encode())
    return replace(dataset, folder=folder)


def read_description(folder: Path) -> dict[str, Any]:
    """Read the contents of dataset.json: version, dataset, tables; DatasetError if it is missing or damaged."""
    try:
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"There is no registered dataset in {folder}.") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"The registration {folder.name} is damaged; remove it and register the dataset again."
        ) from error
    if not isinstance(values, dict) or values.get("version") != VERSION or not isinstance(values.get("tables"), dict):
        raise DatasetError(f"The registration {folder.name} must have version {VERSION}; register the dataset again.")
    return values
