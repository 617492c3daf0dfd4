"""Datasets of single cells that are cut out of other images, into the workspace."""

import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bloodcell.core.errors import StoreError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.core.settings import Settings
from bloodcell.datasets.boxes.box_sets import map_labels
from bloodcell.datasets.boxes.cut_cells import CELLS_CSV, cut_cells
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.catalog.library import check_dataset_name, register_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.labels.layouts import TABLE, LayoutChoice
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.datasets.sources.contents import Contents, Problem

_LABELS: Final = LayoutChoice(TABLE, table=TableChoice(CELLS_CSV, "file", "label", may_hold_commas=True))


def register_cut_cells(
    name: str, prefix: str, write: Callable[[Path], object], settings: Settings, should_stop: ShouldStop | None = None
) -> Dataset:
    """Write cells into a new folder below `settings.cells_dir` and register it, completely or not at all.

    Parameters
    ----------
    name : str
        Of the dataset.
    prefix : str
        What the name of the folder begins with.
    write : callable
        Gets a folder that does not exist; writes the images there and ``cells.csv`` with the columns "file", "label" and
        "group", the SHA-256 of the image that a cell comes from.
    settings : Settings
    should_stop : callable, optional
        Asked while the cells are registered.

    Raises
    ------
    DatasetError
        If the name is blank, too long or taken.
    StoreError
        If the workspace cannot be written to.
    StoppedError
        If `should_stop` said so; nothing is left behind.
    """
    check_dataset_name(name, settings)
    folder = settings.cells_dir / f"{prefix}-{secrets.token_hex(4)}"
    unfinished = folder.with_name(f".new-{folder.name}")
    try:
        write(unfinished)
        unfinished.rename(folder)
        return register_dataset(name, folder, _LABELS, settings, should_stop=should_stop)
    except OSError as error:
        _discard(unfinished, folder)
        raise StoreError(f"The workspace {settings.home} cannot be written to: {error.strerror or error}.") from error
    except BaseException:
        _discard(unfinished, folder)
        raise


def register_box_cells(
    name: str,
    path: Path,
    mapping: Mapping[str, str],
    settings: Settings,
    yolo_names: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Dataset, list[Problem]]:
    """Cut the cells out of images with boxes and register them.

    Parameters
    ----------
    name : str
        Of the dataset of cells.
    path : Path
        A folder or zip with boxes, as `read_box_set` reads it.
    mapping : mapping of str to str
        The class for each label; cells of a label that is missing here are left out.
    settings : Settings
    yolo_names : sequence of str, optional
        The classes of YOLO, where no file says them.
    on_progress : callable, optional
        Called with (done, total), in images.
    should_stop : callable, optional
        Asked before every image.

    Returns
    -------
    dataset : Dataset
    problems : list of Problem
        Annotations and images that were left out, and why.

    Raises
    ------
    DatasetError
        If there are no boxes of these labels.
    DatasetError, StoreError, StoppedError
        As `register_cut_cells`.
    """
    problems: list[Problem] = []

    def write(folder: Path) -> None:
        with Contents(path) as contents:
            boxes = read_box_set(contents, yolo_names)
            _, unread = cut_cells(contents, map_labels(boxes, mapping), folder, on_progress, should_stop)
        problems.extend([*boxes.problems, *unread])

    return register_cut_cells(name, "boxes", write, settings, should_stop), problems


def _discard(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
