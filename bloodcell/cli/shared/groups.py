"""Which images of a dataset show the same cell: as a user says, as stored with the dataset, or by comparing the images."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.inputs import OpenedImages
from bloodcell.cli.shared.output import print_info, to_printable, update_bar
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.datasets.catalog.groups_and_splits import read_stored_groups
from bloodcell.datasets.catalog.library import read_images_table
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.known_groups import read_complete_groups
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_rgb


def find_groups(how: str | None, opened: OpenedImages, records: Sequence[Record]) -> tuple[dict[str, str], str]:
    """Find which images show the same cell or come from the same patient.

    Parameters
    ----------
    how : str or None
        "pixels" to compare the images, "each" where every image shows a cell of its own, or the path of a CSV (file,
        group); None for the groups stored with a registered dataset if there are any, else "pixels".
    opened : OpenedImages
    records : sequence of Record
        Those of `opened` to group.

    Returns
    -------
    group_of : dict of str to str
        File to group.
    how : str
        "pixels", "each", the name of the CSV, or how the stored groups were found.

    Raises
    ------
    DatasetError
        If the CSV cannot be used or lacks an image; or the stored groups are older than the images.
    """
    stored = read_stored_groups(opened.dataset) if how is None and opened.dataset is not None else None
    if stored is not None and opened.dataset is not None:
        if not stored.is_current:
            raise DatasetError(
                f"The groups stored with {opened.name} were found before its images changed: find them again on the page "
                "Datasets, or use --groups pixels."
            )
        # An image that could not be read when groups were found is in none: here as there it stands alone.
        table = read_images_table(opened.dataset)
        alone = {file: file for file in table["file"][table["problem"] != ""]}
        group_of = alone | stored.group_of
        missing = [record.file for record in records if record.file not in group_of]
        if missing:
            raise DatasetError(
                f"The groups stored with {opened.name} lack {missing[0]}: find them again on the page Datasets."
            )
        print_info(f"groups: stored with {opened.name}, found {stored.method}")
        return {record.file: group_of[record.file] for record in records}, f"stored, found {stored.method}"
    if how in (None, "pixels"):
        return group_by_pixels(opened.contents, records), "pixels"
    if how == "each":
        return {record.file: record.file for record in records}, "each"
    return read_complete_groups(Path(str(how)), [record.file for record in records]), Path(str(how)).name


def group_by_pixels(images: Contents, records: Sequence[Record]) -> dict[str, str]:
    """Compare images with a progress bar; those that cannot be read are named on stderr.

    Returns
    -------
    dict of str to str
        File to group, a number as text.
    """
    problems: list[str] = []

    def note_problem(row: int, error: BloodcellError) -> None:
        problems.append(f"{to_printable(records[row].file)} ({error})")

    with tqdm(total=2 * len(records), unit="step", desc="copies") as bar:
        grouping = group_images(
            lambda row: read_rgb(images.read(records[row].file)),
            len(records),
            lambda done, total: update_bar(bar, done, total),
            on_problem=note_problem,
        )
    for line in format_names("unreadable, each a group of its own", problems):
        print_info(line)
    return {record.file: str(group) for record, group in zip(records, grouping.groups, strict=True)}
