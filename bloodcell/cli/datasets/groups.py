"""``groups``: images in, file,group out; by comparing the images, by a pattern in their names, or by a column of a table."""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bloodcell.cli.shared.arguments import DATASET_HELP, OUT_CSV_HELP, add_reading_options
from bloodcell.cli.shared.groups import group_by_pixels
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, write_output
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import DatasetError
from bloodcell.datasets.copies.known_groups import encode_groups_csv, group_by_name, read_column_groups
from bloodcell.datasets.labels.records import Record
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
