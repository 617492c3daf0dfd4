"""``split``: a labelled dataset in, file,group,label,split out."""

import argparse
from pathlib import Path

import pandas as pd

from bloodcell.cli.shared.arguments import DATASET_HELP, OUT_CSV_HELP, add_reading_options
from bloodcell.cli.shared.groups import find_groups
from bloodcell.cli.shared.inputs import OpenedImages, open_images
from bloodcell.cli.shared.output import check_output_file, print_info, write_output
from bloodcell.core.errors import DatasetError
from bloodcell.core.io import read_csv
from bloodcell.datasets.splits.split import Split, split
from bloodcell.datasets.splits.split_file import encode_split_csv
from bloodcell.reports.numbers import format_count

DETAILS = (
    "Writes file,group,label,split. All images of a group go to the same part, and the classes are spread evenly over the "
    "parts."
)
EXAMPLE = "split DATASET --folds 5 --seed 0 --out split.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``split``."""
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parts = parser.add_mutually_exclusive_group(required=True)
    parts.add_argument("--folds", type=int, metavar="N", help="split into fold0, fold1, ... of similar size")
    parts.add_argument(
        "--holdout",
        type=float,
        metavar="SHARE",
        help="split into train and validation; SHARE of the images is validation",
    )
    parser.add_argument(
        "--test",
        metavar="WHAT",
        help="add a part test: a share (0.2), a part (test) or folder of the dataset, or a CSV with the column file",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the split (default: %(default)s)")
    parser.add_argument(
        "--groups",
        metavar="HOW",
        help="which images stay together: a CSV from `groups`, or pixels (compare the images) (default: the groups stored "
        "with a registered dataset, else pixels)",
    )
    parser.add_argument(
        "--leaky",
        action="store_true",
        help="split at random, so that copies of a cell may be separated; every row is then marked leaky",
    )
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Split ``args.dataset`` into ``args.folds`` or by ``args.holdout`` and write ``args.out``.

    Raises
    ------
    BloodcellError
        If the dataset, the groups or the output cannot be used, or it cannot be split so; nothing is written then.
    """
    out = check_output_file(args.out)
    if args.groups == "each":
        raise DatasetError("--groups each would separate copies of the same cell: use --leaky if you mean that.")
    opened = open_images(args.dataset, args)
    records = opened.records
    test_share, test_files = _parse_test_part(args.test, opened)
    table = pd.DataFrame(
        {"file": [record.file for record in records], "label": [record.label for record in records]}, dtype=str
    )
    if args.groups in (None, "pixels") and not args.leaky:
        # A split that is impossible is refused before the long search for copies: here every image is its own group.
        _split(table.assign(group=table["file"]), args, test_share, test_files)
    if args.groups is not None or not args.leaky:
        group_of, _ = find_groups(args.groups, opened, records)
        table["group"] = [group_of[record.file] for record in records]
    parts = _split(table, args, test_share, test_files)
    write_output(out, encode_split_csv(parts))
    for line in _summarise_split(parts):
        print_info(line)
    print_info(f"written to {out}")
    return 0


def _split(table: pd.DataFrame, args: argparse.Namespace, test_share: float, test_files: list[str]) -> Split:
    return split(table, args.folds, args.holdout, args.seed, test_share, test_files, args.leaky)


def _parse_test_part(text: str | None, opened: OpenedImages) -> tuple[float, list[str]]:
    """Parse --test: a share, or the files of a part, a folder or a table."""
    if text is None:
        return 0.0, []
    try:
        share = float(text)
    except ValueError:
        pass
    else:
        if not 0 < share < 1:
            raise DatasetError(f"The share of --test must be above 0 and below 1. Received: {text}.")
        return share, []
    files = [record.file for record in opened.select_part(text.strip("/"))]
    if files:
        return 0.0, files
    if Path(text).is_file():
        files = [row["file"] for row in read_csv(Path(text), ("file",))]
    else:
        files = [record.file for record in opened.records if record.file.startswith(text.strip("/") + "/")]
    if not files:
        parts = f" ({', '.join(opened.parts)})" if opened.parts else ""
        raise DatasetError(
            f"--test takes a share, a part{parts} or folder of the dataset, or a CSV of files. Received: {text}."
        )
    return 0.0, files


def _summarise_split(split: Split) -> list[str]:
    lines = []
    for part in split.parts:
        rows = split.table[split.table["split"] == part]
        counts = ", ".join(f"{label} {len(of_label)}" for label, of_label in rows.groupby("label"))
        groups = "" if split.leaky else f" of {format_count(rows['group'].nunique(), 'group')}"
        lines.append(f"{part}: {format_count(len(rows), 'image')}{groups}: {counts}")
    lines += [f"warning: {text}" for text in split.warnings]
    if split.leaky:
        lines.append(
            "warning: this split is leaky: copies of the same cell may be in two parts, and metrics will be too good."
        )
    return lines
