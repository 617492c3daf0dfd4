"""A dataset made of the reviewed cells of a batch."""

from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.core.io import encode_csv
from bloodcell.core.labels import EXTRA_DECISIONS
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.core.settings import Settings
from bloodcell.core.text import make_folder_name
from bloodcell.datasets.boxes.cut_cells import CELLS_CSV
from bloodcell.datasets.catalog.cut_cell_sets import register_cut_cells
from bloodcell.datasets.catalog.library import check_dataset_name
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import cut_surroundings
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.review.batches import get_batch
from bloodcell.review.tables import read_cells_table

HEADER: Final = (
    *("file", "group", "label", "image_name", "cell_number", *Box._fields),
    *("prediction", "decided_by", "decided_at", "batch"),
)


def read_reviewed_cells(db: Engine, batch_id: int, with_extra: bool = False) -> pd.DataFrame:
    """Read the cells of a batch that a person has corrected or confirmed.

    Parameters
    ----------
    db : Engine
    batch_id : int
    with_extra : bool, default False
        Whether to include cells corrected to OTHER or NOT_A_CELL.

    Returns
    -------
    DataFrame
        Rows of `review.tables.read_cells_table`. Cells that nobody reviewed are left out, however confident the model
        was.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    cells = read_cells_table(db, batch_id)
    is_wanted = (cells["correction"] != "") & (with_extra | ~cells["correction"].isin(EXTRA_DECISIONS))
    return cells[is_wanted].reset_index(drop=True)


def create_cell_set(
    db: Engine,
    batch_id: int,
    name: str,
    settings: Settings,
    with_extra: bool = False,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Dataset:
    """Crop the reviewed cells out of their images and register them as a dataset.

    The crops are those of `imaging.crop.cut_surroundings`, as PNG in a folder per class below `settings.cells_dir`. Beside
    them lies `cells.csv`, which has the
    labels; its column `group` is the SHA-256 of the image that a cell comes from, so that a split by groups keeps the
    cells of one image together. A later correction does not change the dataset.

    Parameters
    ----------
    db : Engine
        Of `db.database.open_database`.
    batch_id : int
    name : str
        Of the dataset.
    settings : Settings
    with_extra : bool, default False
        Whether to include cells corrected to OTHER or NOT_A_CELL, as classes of these names.
    on_progress : callable, optional
        Called with (done, total), in images of the batch.
    should_stop : callable, optional
        Asked before every image.

    Returns
    -------
    Dataset
        As registered.

    Raises
    ------
    DatasetError
        If no cell is reviewed, or the name is blank, too long or taken.
    StoreError
        If there is no such batch, an image is gone or damaged, or the workspace cannot be written to.
    StoppedError
        If `should_stop` said so; nothing is left behind.
    """
    check_dataset_name(name, settings)
    batch = get_batch(db, batch_id)
    cells = read_reviewed_cells(db, batch_id, with_extra)
    if cells.empty:
        raise DatasetError(f"A dataset needs cells that a person confirmed or corrected. {batch.name!r} has none.")

    def write(folder: Path) -> None:
        rows = _write_crops(folder, cells, batch.name, BlobStore(settings.blobs_dir), on_progress, should_stop)
        (folder / CELLS_CSV).write_bytes(encode_csv(HEADER, rows))

    return register_cut_cells(name, f"batch-{batch_id}", write, settings, should_stop)


def _write_crops(
    folder: Path,
    cells: pd.DataFrame,
    batch_name: str,
    blobs: BlobStore,
    on_progress: OnProgress | None,
    should_stop: ShouldStop | None,
) -> list[list[Any]]:
    """Write one PNG per cell, image by image, and return the rows of the table in the order of the cells."""
    rows: list[list[Any]] = []
    images = cells.groupby("image_id", sort=False)
    for done, (_, of_image) in enumerate(images, start=1):
        if should_stop is not None and should_stop():
            raise StoppedError(f"Stopped after {done - 1} of {len(images)} images; nothing was kept.")
        rgb = read_rgb(blobs.get(of_image["sha256"].iloc[0]))
        for cell in of_image.itertuples(index=False):
            file = f"{make_folder_name(cell.correction)}/{cell.sha256[:16]}-{cell.cell_number:04d}.png"
            box = Box(cell.top, cell.left, cell.bottom, cell.right)
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(cut_surroundings(rgb, box)))
            row = [file, cell.sha256, cell.correction, cell.file_name, cell.cell_number, *box]
            rows.append([*row, cell.prediction, cell.who, cell.when, batch_name])
        if on_progress is not None:
            on_progress(done, len(images))
    return rows
