"""``groups``: images in, file,group out; by pixels, by a pattern in the names, or by a column of a table."""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bloodcell.commands.output import advance, output_file, shown, tell, write_whole
from bloodcell.commands.summary import counted, named
from bloodcell.data.csv_text import csv_bytes
from bloodcell.data.groups import group_images
from bloodcell.data.name_groups import column_groups, name_groups
from bloodcell.data.records import ImageSource, Record, image_records
from bloodcell.errors import BloodcellError, DatasetError
from bloodcell.imaging.read import read_rgb


def run(args: argparse.Namespace) -> int:
    """Group the images of ``args.folder`` into ``args.out``, in the order of their names.

    Raises
    ------
    BloodcellError
        If the images, the pattern, the table or the output cannot be used; nothing is written then.
    """
    if (args.csv is None) != (args.column is None):
        raise DatasetError("--csv and --column go together: the table, and the column that holds the groups.")
    out = output_file(args.out)
    source = ImageSource(Path(args.folder))
    records = image_records(source)
    files = [record.file for record in records]
    if args.pattern is not None:
        group_of = name_groups(args.pattern, files)
    elif args.csv is not None:
        group_of = column_groups(Path(args.csv), args.column, files)
    else:
        group_of = groups_from_pixels(source, records)
    write_whole(out, csv_bytes(("file", "group"), ((file, group_of[file]) for file in files), bom=False))
    for line in _summary(records, group_of, from_pixels=args.pattern is None and args.csv is None):
        tell(line)
    tell(f"written to {out}")
    return 0


def groups_from_pixels(source: ImageSource, records: Sequence[Record]) -> dict[str, str]:
    """Find copies with a progress bar; images that cannot be read are named on stderr.

    Returns
    -------
    dict of file -> group, a number as text
    """
    problems: list[str] = []

    def note_problem(row: int, error: BloodcellError) -> None:
        problems.append(f"{shown(records[row].file)} ({error})")

    with tqdm(total=2 * len(records), unit="step", desc="copies") as bar:
        grouping = group_images(
            lambda row: read_rgb(source.read(records[row].file)),
            len(records),
            lambda done, total: advance(bar, done, total),
            on_problem=note_problem,
        )
    for line in named("unreadable, a group of its own", problems):
        tell(line)
    return {record.file: str(group) for record, group in zip(records, grouping.groups, strict=True)}


def _summary(records: Sequence[Record], group_of: dict[str, str], from_pixels: bool) -> list[str]:
    members: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        members[group_of[record.file]].append(record)
    sizes = sorted(map(len, members.values()))
    largest = f"the largest of {counted(sizes[-1], 'image')}, {sizes.count(1)} of one image"
    lines = [f"{counted(len(records), 'image')}, {counted(len(members), 'group')}, {largest}"]
    if from_pixels:  # a patient may have cells of any class; copies of one cell may not
        mixed = [shown(some[0].file) for some in members.values() if len({record.label for record in some}) > 1]
        lines += named("groups with more than one label", mixed)
    return lines
