"""``leaks``: two datasets, or a dataset and a split of it, in; the pairs of images that show the same cell out."""

import argparse
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.arguments import DATASET_HELP, OUT_CSV_HELP, add_reading_options
from bloodcell.cli.shared.inputs import OpenedImages, open_images
from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, update_bar, write_output
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import DatasetError
from bloodcell.datasets.copies.leak_report import SAME_BYTES, LeakReport
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.splits.split import EXCLUDED
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.reports.numbers import format_count

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
    int
        0 whether there are leaks or not.

    Raises
    ------
    BloodcellError
        If a set, the split or the output cannot be used; nothing is written then.
    """
    if args.b is not None and args.split is not None:
        raise DatasetError("`leaks` takes two datasets, A and B, or one dataset and --split FILE. Received: all three.")
    out = check_output_file(args.out)
    opened = [open_images(text, args, needs_labels=False) for text in (args.a, args.b) if text is not None]
    if args.b is not None:
        sets = _make_two_sets(opened[0], opened[1], (args.a, args.b))
    elif args.split is not None:
        sets = _read_split_parts(opened[0], Path(args.split))
    else:
        sets = _list_own_parts(opened[0])
    with tqdm(total=3 * sum(len(images.records) for images in sets), unit="step", desc="leaks") as bar:
        report = find_leaks(sets, lambda done, total: update_bar(bar, done, total))
    write_output(out, report.encode_csv())
    for line in _summarise_leaks(report):
        print_info(line)
    print_info(f"written to {out}")
    return 0


def _make_two_sets(a: OpenedImages, b: OpenedImages, texts: tuple[str, str]) -> list[ImageSet]:
    names = (a.name, b.name)
    if names[0] == names[1]:
        names = texts if texts[0] != texts[1] else (f"{texts[0]} (A)", f"{texts[1]} (B)")
    return [ImageSet(name, opened.contents, opened.records) for name, opened in zip(names, (a, b), strict=True)]


def _read_split_parts(opened: OpenedImages, path: Path) -> list[ImageSet]:
    """Return one set per part of the split but the excluded."""
    split = read_split(path, leaky=True)  # whether it leaks is the question
    by_file = {record.file: record for record in opened.records}
    missing = [file for file in split.table["file"] if file not in by_file]
    if missing:
        raise DatasetError(f"{path.name} must name images of {opened.name}. It has no image {missing[0]}.")
    return [
        ImageSet(part, opened.contents, [by_file[file] for file in split.table["file"][split.table["split"] == part]])
        for part in split.parts
        if part != EXCLUDED
    ]


def _list_own_parts(opened: OpenedImages) -> list[ImageSet]:
    """Return one set per train or test folder, the training sets first."""
    if len(opened.parts) < 2:
        raise DatasetError(
            "`leaks` takes two datasets, A and B, or one dataset with --split FILE or with train and test folders. "
            f"{opened.name} has no such folders."
        )
    parts = sorted(opened.parts, key=lambda part: ("test" in part.casefold(), part))
    return [ImageSet(part, opened.contents, opened.select_part(part)) for part in parts]


def _summarise_leaks(report: LeakReport) -> list[str]:
    n_exact = sum(pair.kind == SAME_BYTES for pair in report.pairs)
    n_differing = sum(report.records[pair.a].label != report.records[pair.b].label for pair in report.pairs)
    duplicates = format_count(n_exact, "exact duplicate")
    lines = [f"{format_count(len(report.pairs), 'pair')}, {duplicates}, {n_differing:,} with different labels"]
    for count in report.shared_counts:
        share = f"{count.images_shared / count.images:.1%}"
        images = f"{count.images_shared:,} of {format_count(count.images, 'image')} ({share})"
        cells = f"{count.source_cells_shared:,} of {format_count(count.source_cells, 'source cell')}"
        lines.append(f"{to_printable(count.name)}: {images} and {cells} also occur in another dataset")
    unreadable = [
        f"{to_printable(file)} in {to_printable(name)} ({reason})" for name, file, reason in report.unreadable
    ]
    return lines + format_names("unreadable, compared for exact duplicates only", unreadable)
