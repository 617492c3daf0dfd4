"""Make a dataset of single cells out of images with boxes: cut the cells into the workspace and register them."""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

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


def register_box_cells(
    name: str,
    path: Path,
    mapping: Mapping[str, str],
    settings: Settings,
    yolo_names: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Dataset, list[Problem]]:
    """Cut the cells out of images with boxes, into a folder below `settings.cells_dir`, and register that.

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
        Its groups are the images: the column "group" of its ``cells.csv``.
    problems : list of Problem
        Annotations and images that were left out, and why.

    Raises
    ------
    DatasetError
        If there are no boxes of these labels, or the name is blank, too long or taken.
    StoreError
        If the workspace cannot be written to.
    StoppedError
        If `should_stop` said so; nothing is left behind.
    """
    check_dataset_name(name, settings)
    folder = settings.cells_dir / f"boxes-{secrets.token_hex(4)}"
    unfinished = folder.with_name(f".new-{folder.name}")
    table = TableChoice(CELLS_CSV, "file", "label", may_hold_commas=True)
    try:
        with Contents(path) as contents:
            boxes = read_box_set(contents, yolo_names)
            _, problems = cut_cells(contents, map_labels(boxes, mapping), unfinished, on_progress, should_stop)
        unfinished.rename(folder)
        dataset = register_dataset(name, folder, LayoutChoice(TABLE, table=table), settings, should_stop=should_stop)
    except OSError as error:
        _discard(unfinished, folder)
        raise StoreError(f"The workspace {settings.home} cannot be written to: {error.strerror or error}.") from error
    except BaseException:
        _discard(unfinished, folder)
        raise
    return dataset, [*boxes.problems, *problems]


def _discard(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
