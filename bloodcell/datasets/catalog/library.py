"""The datasets registered in the workspace, by reference, with what was found in them.

A registration is a folder `datasets/<id>` of the workspace (`registration`). The images stay where they are. What other
modules store about a dataset (groups, splits) is in the same folder and is removed with it.
"""

import hashlib
import json
import re
import secrets
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.io import write_atomic
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.registration import (
    DESCRIPTION,
    Dataset,
    read_dataset,
    read_dataset_table,
    read_description,
    write_dataset,
)
from bloodcell.datasets.catalog.scan import COLUMNS, scan_images
from bloodcell.datasets.labels.layouts import LayoutChoice, Listing
from bloodcell.datasets.labels.listing import list_images
from bloodcell.datasets.sources.contents import Problem

MAX_NAME_CHARS: Final = 120

_UNFINISHED: Final = ".new-"


def register_dataset(
    name: str,
    path: Path,
    choice: LayoutChoice | None,
    settings: Settings,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Dataset:
    """List, scan and register a folder or zip.

    Parameters
    ----------
    name : str
        See `register_listing`.
    path : Path
        A folder or zip.
    choice : LayoutChoice or None
        How to read it; None if there is only one way.
    settings : Settings
    on_progress, should_stop : callable, optional
        See `scan_images`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError, StoppedError, StoreError
        See `list_images`, `scan_images` and `register_listing`.
    """
    check_dataset_name(name, settings)
    listing = list_images(path, choice)
    return register_listing(name, listing, scan_images(listing, on_progress, should_stop), settings)


def register_listing(name: str, listing: Listing, table: pd.DataFrame, settings: Settings) -> Dataset:
    """Register a dataset by reference, completely or not at all.

    Parameters
    ----------
    name : str
        Up to `MAX_NAME_CHARS` characters.
    listing : Listing
    table : DataFrame
        Result of `scan_images` for this listing.
    settings : Settings

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the name is blank, too long or taken, or the table belongs to another listing.
    StoreError
        If the workspace cannot be written to.
    """
    name = check_dataset_name(name, settings)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    final = settings.datasets_dir / f"{slug or 'dataset'}-{secrets.token_hex(4)}"
    unfinished = settings.datasets_dir / f"{_UNFINISHED}{final.name}"
    now = now_utc()
    try:
        unfinished.mkdir(parents=True)
        try:
            dataset = write_dataset(
                unfinished, _build_dataset(listing, table, final.name, name, now, now), listing, table
            )
            unfinished.rename(final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise _make_store_error(settings, error) from error
    return replace(dataset, folder=final)


def rescan_dataset(
    dataset: Dataset, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
) -> Dataset:
    """Scan the images again, read in the same way, and store the new state under the same id.

    Parameters
    ----------
    dataset : Dataset
    on_progress, should_stop : callable, optional
        See `scan_images`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        As `list_images`: the folder is gone, or can no longer be read in the chosen way. The old state stays.
    StoppedError
        If `should_stop` returned True. The old state stays.
    """
    listing = list_images(dataset.path, dataset.choice)
    table = scan_images(listing, on_progress, should_stop)
    current = read_dataset(dataset.folder)
    described = _build_dataset(listing, table, current.id, current.name, current.created_at, now_utc())
    try:
        before = read_description(dataset.folder)["tables"].values()
        renewed = write_dataset(dataset.folder, described, listing, table)
        for file in set(before) - set(read_description(dataset.folder)["tables"].values()):
            (dataset.folder / Path(file).name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The workspace {dataset.folder} cannot be written to: {error.strerror}.") from error
    return renewed


def list_datasets(settings: Settings) -> list[Dataset]:
    """List every registered dataset by name, without damaged registrations (`read_dataset` says what is wrong)."""
    datasets = []
    for file in settings.datasets_dir.glob(f"*/{DESCRIPTION}"):
        if not file.parent.name.startswith("."):
            with suppress(DatasetError):
                datasets.append(read_dataset(file.parent))
    return sorted(datasets, key=lambda dataset: (dataset.name.casefold(), dataset.id))


def get_dataset(name: str, settings: Settings) -> Dataset:
    """Return the dataset with this id or name; DatasetError lists the registered ones, or says what is wrong with it."""
    datasets = list_datasets(settings)
    for dataset in datasets:
        if dataset.id == name or dataset.name.casefold() == name.strip().casefold():
            return dataset
    if re.fullmatch(r"[a-z0-9-]+", name) and (settings.datasets_dir / name / DESCRIPTION).is_file():
        return read_dataset(settings.datasets_dir / name)
    registered_names = ", ".join(dataset.name for dataset in datasets) or "none"
    raise DatasetError(f"There is no dataset {name!r} in this workspace. Registered: {registered_names}.")


def read_images_table(dataset: Dataset) -> pd.DataFrame:
    """Read the table of `scan_images` as it was registered; DatasetError if it is gone or damaged."""
    return read_dataset_table(dataset, "images")[list(COLUMNS)]


def list_problems(dataset: Dataset) -> list[Problem]:
    """List all problems: unreadable images first, then files and rows without a labelled image."""
    images = read_images_table(dataset)
    unreadable = images.loc[images["problem"] != "", ["file", "problem"]]
    stored_problems = read_dataset_table(dataset, "problems")
    problems = pd.concat([unreadable.set_axis(["file", "reason"], axis=1), stored_problems])
    return [Problem(*row) for row in problems.itertuples(index=False, name=None)]


def rename_dataset(dataset: Dataset, name: str, settings: Settings) -> Dataset:
    """Rename a dataset, whose id stays; the errors are those of `register_listing`."""
    name = check_dataset_name(name, settings, except_id=dataset.id)
    values = read_description(dataset.folder)
    values["dataset"]["name"] = name
    try:
        write_atomic(dataset.folder / DESCRIPTION, json.dumps(values, indent=2).encode())
    except OSError as error:
        raise _make_store_error(settings, error) from error
    return replace(read_dataset(dataset.folder), name=name)


def remove_dataset(dataset: Dataset) -> None:
    """Remove a dataset: its registration and what is stored beside it; the images stay where they are."""
    gone = dataset.folder.with_name(f".removed-{dataset.id}-{secrets.token_hex(4)}")
    try:
        dataset.folder.rename(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"The workspace {dataset.folder} cannot be changed: {error.strerror}.") from error
    shutil.rmtree(gone, ignore_errors=True)


def check_dataset_name(name: str, settings: Settings, except_id: str = "") -> str:
    """Return the name without blanks at its ends; DatasetError if it is blank, too long or already taken."""
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise DatasetError(f"A name must have 1 to {MAX_NAME_CHARS} printable characters. Received: {name[:200]!r}.")
    taken = {dataset.name.casefold() for dataset in list_datasets(settings) if dataset.id != except_id}
    if name.casefold() in taken:
        raise DatasetError(f"Every dataset needs a name of its own. There already is a dataset {name!r}.")
    return name


def _build_dataset(
    listing: Listing, table: pd.DataFrame, dataset_id: str, name: str, created_at: str, scanned_at: str
) -> Dataset:
    if table["file"].tolist() != [image.file for image in listing.images]:
        raise DatasetError(
            f"The table must have the images of the listing ({len(listing.images)}), in its order. "
            f"Received: another table ({len(table)})."
        )
    return Dataset(
        id=dataset_id,
        name=name,
        path=listing.path,
        is_zip=listing.is_zip,
        choice=listing.choice,
        class_names=listing.class_names,
        splits=listing.splits,
        n_images=len(table),
        n_unreadable=int((table["problem"] != "").sum()),
        n_problems=len(listing.problems),
        fingerprint=hash_content(table),
        created_at=created_at,
        scanned_at=scanned_at,
        folder=Path(),
    )


def hash_content(table: pd.DataFrame) -> str:
    """Return the SHA-256 in hexadecimal over file, label, split and SHA-256 of the images, whatever their order."""
    rows = sorted(table[["file", "label", "split", "sha256"]].itertuples(index=False, name=None))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _make_store_error(settings: Settings, error: OSError) -> StoreError:
    return StoreError(f"The workspace {settings.datasets_dir} cannot be written to: {error.strerror or error}.")
