"""``leaks``: two sets of images, or a dataset and a split of it, in; the pairs that they share out."""

import argparse
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.arguments import DATASET_HELP, OUT_CSV_HELP, add_reading_options
from bloodcell.cli.shared.inputs import OpenedImages, open_images
from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, update_bar, write_output
from bloodcell.cli.shared.summary import format_count, format_names
from bloodcell.core.errors import DatasetError
from bloodcell.datasets.copies.leak_report import SAME_BYTES, LeakReport
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.splits.split import EXCLUDED
from bloodcell.datasets.splits.split_file import read_split

DETAILS = (
    "Writes one row per pair: every two files that are exact duplicates, and for every other image of B that shows a cell of A "
    "the most similar image of A. The share of each dataset that is affected is printed on stderr."
)
EXAMPLE = "leaks TRAIN TEST --out pairs.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``leaks``."""
    parser.add_argument("a", metavar="A", help=f"{DATASET_HELP}; labels may be missing")
    parser.add_argument(
        "b",
        metavar="B",
        nargs="?",
        help="the dataset to compare with; leave it out to compare the train and test folders of A, or with --split",
    )
    parser.add_argument(
        "--split", metavar="FILE", help="CSV from `split`: compare its parts, whose images lie in A, with each other"
    )
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write what ``args.a`` and ``args.b``, or the parts of ``args.split`` or of ``args.a``, share to ``args.out``.

    Returns
    -------
    int, exit code: 0 whether there are leaks or not

    Raises
    ------
    BloodcellError
        If a set, the split or the output cannot be used; nothing is written then.
    """
    if args.b is not None and args.split is not None:
        raise DatasetError("leaks takes two sets of images, A and B, or one set and --split FILE. Received: all three.")
    out = check_output_file(args.out)
    opened = [open_images(text, args, needs_labels=False) for text in (args.a, args.b) if text is not None]
    if args.b is not None:
        sets = _make_two_sets(opened[0], opened[1], (args.a, args.b))
    elif args.split is not None:
        sets = _read_split_parts(opened[0], Path(args.split))
    else:
        sets = _list_own_parts(opened[0])
    with tqdm(total=3 * sum(len(one.records) for one in sets), unit="step", desc="leaks") as bar:
        report = find_leaks(sets, lambda done, total: update_bar(bar, done, total))
    write_output(out, report.csv())
    for line in _summarise_leaks(report):
        print_info(line)
    print_info(f"written to {out}")
    return 0


def _make_two_sets(a: OpenedImages, b: OpenedImages, texts: tuple[str, str]) -> list[ImageSet]:
    names = (a.name, b.name)
    if names[0] == names[1]:
        names = texts if texts[0] != texts[1] else (f"{texts[0]} (A)", f"{texts[1]} (B)")
    return [ImageSet(name, one.contents, one.records) for name, one in zip(names, (a, b), strict=True)]


def _read_split_parts(opened: OpenedImages, path: Path) -> list[ImageSet]:
    """One set for each part of the split but the excluded."""
    split = read_split(path, leaky=True)  # whether it leaks is the question
    by_file = {record.file: record for record in opened.records}
    missing = [file for file in split.table["file"] if file not in by_file]
    if missing:
        raise DatasetError(f"{path.name} must name images of {opened.name}. Not there: {missing[0]}.")
    return [
        ImageSet(part, opened.contents, [by_file[file] for file in split.table["file"][split.table["split"] == part]])
        for part in split.parts
        if part != EXCLUDED
    ]


def _list_own_parts(opened: OpenedImages) -> list[ImageSet]:
    """One set for each train or test folder; those to learn from first."""
    if len(opened.parts) < 2:
        raise DatasetError(
            f"leaks takes two sets of images, A and B, or one set with --split FILE or with train and test folders. "
            f"{opened.name} has no such folders."
        )
    parts = sorted(opened.parts, key=lambda part: ("test" in part.casefold(), part))
    return [ImageSet(part, opened.contents, opened.select_part(part)) for part in parts]


def _summarise_leaks(report: LeakReport) -> list[str]:
    same_bytes = sum(pair.kind == SAME_BYTES for pair in report.pairs)
    differing = sum(report.records[pair.a].label != report.records[pair.b].label for pair in report.pairs)
    lines = [
        f"{format_count(len(report.pairs), 'pair')}, {same_bytes} of the same bytes, {differing} with different labels"
    ]
    for one in report.shared_counts:
        images = f"{one.images_shared} of {format_count(one.images, 'image')} ({one.images_shared / one.images:.1%})"
        cells = f"{one.source_cells_shared} of {format_count(one.source_cells, 'source cell')}"
        lines.append(f"{to_printable(one.name)}: {images}, {cells} are in another set too")
    unreadable = [
        f"{to_printable(file)} in {to_printable(name)} ({reason})" for name, file, reason in report.unreadable
    ]
    return lines + format_names("unreadable, compared by their bytes alone", unreadable)
