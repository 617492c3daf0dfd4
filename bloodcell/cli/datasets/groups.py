"""``groups``: images in, file,group out; by comparing the images, by a pattern in their names, or by a column of a table."""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.arguments import DATASET_HELP, OUT_CSV_HELP, add_reading_options
from bloodcell.cli.shared.inputs import OpenedImages, open_images
from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, update_bar, write_output
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.datasets.catalog.groups_and_splits import read_stored_groups
from bloodcell.datasets.catalog.library import read_images_table
from bloodcell.datasets.copies.groups import group_images
from bloodcell.datasets.copies.known_groups import (
    encode_groups_csv,
    group_by_name,
    read_column_groups,
    read_complete_groups,
)
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_rgb
from bloodcell.reports.numbers import format_count

DETAILS = (
    "Writes file,group. Without --pattern or --csv, copies of a cell are found by comparing the images: rotated, flipped, "
    "shifted, zoomed, brightened or cropped copies. An image that cannot be read is a group of its own and is named on stderr."
)
EXAMPLE = "groups slides/ --out groups.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``groups``."""
    parser.add_argument("dataset", metavar="DATASET", help=f"{DATASET_HELP}; labels may be missing")
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)
    method = parser.add_mutually_exclusive_group()
    method.add_argument(
        "--pattern",
        metavar="REGEX",
        help="regular expression whose parentheses enclose the group in a file name, such as '^C(\\d+)' for C33P1.png; "
        "with a / in it, it is applied to the whole path",
    )
    method.add_argument("--csv", metavar="FILE", help="table with a column file, filename or image, and --column")
    parser.add_argument("--column", metavar="NAME", help="column of --csv that holds the groups")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Group the images of ``args.dataset`` into ``args.out``, in the order of their names.

    Raises
    ------
    BloodcellError
        If the images, the pattern, the table or the output cannot be used; nothing is written then.
    """
    if (args.csv is None) != (args.column is None):
        raise DatasetError("--csv and --column go together: a table, and its column that holds the groups.")
    out = check_output_file(args.out)
    opened = open_images(args.dataset, args, needs_labels=False)
    files = [record.file for record in opened.records]
    if args.pattern is not None:
        group_of = group_by_name(args.pattern, files)
    elif args.csv is not None:
        group_of = read_column_groups(Path(args.csv), args.column, files)
    else:
        group_of = group_by_pixels(opened.contents, opened.records)
    write_output(out, encode_groups_csv({file: group_of[file] for file in files}))
    for line in _summarise_groups(opened.records, group_of, from_pixels=args.pattern is None and args.csv is None):
        print_info(line)
    print_info(f"written to {out}")
    return 0


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


def _summarise_groups(records: Sequence[Record], group_of: dict[str, str], from_pixels: bool) -> list[str]:
    members: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        members[group_of[record.file]].append(record)
    sizes = sorted(map(len, members.values()))
    largest = f"the largest with {format_count(sizes[-1], 'image')}, {sizes.count(1):,} with one image"
    lines = [f"{format_count(len(records), 'image')}, {format_count(len(members), 'group')}, {largest}"]
    if from_pixels:  # a patient may have cells of any class; copies of one cell may not
        mixed = [
            to_printable(group[0].file) for group in members.values() if len({record.label for record in group}) > 1
        ]
        lines += format_names("groups with more than one label", mixed)
    return lines
