"""``explore``: labelled images in, one self-contained HTML report out."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
from tqdm import tqdm

from bloodcell.cli.shared.arguments import DATASET_HELP, add_reading_options
from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, write_output
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.datasets.catalog.exploration import (
    compare_methods,
    iterate_example_images,
    measure_sample_levels,
    survey_images,
)
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.datasets.masks.true_masks import pair_masks, read_true_mask
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.segment import TrueMask
from bloodcell.reports.explore_report import (
    MAX_EXAMPLES,
    N_PER_CLASS,
    Example,
    Exploration,
    Tile,
    build_exploration_document,
    make_example,
    make_tile,
)
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.numbers import format_count

SAMPLE_IMAGES = 600
SAMPLE_PIXELS = 200_000_000  # fewer images are examined if they are large, so that it takes less than a minute


DETAILS = (
    "One HTML file that needs no internet: classes, sizes, formats, problems, example images, gray levels, and segmentation "
    "methods compared, by Dice where true masks lie beside the images (with the same name, or in a folder masks; 0 background, "
    "128 cytoplasm, 255 nucleus)."
)
EXAMPLE = "explore ../shared/data/kaggle-wbc/TRAIN --out report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explore``."""
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_argument("--out", required=True, metavar="FILE.html", help="report to write")
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="number of images to examine closely, spread evenly over the classes (default: 600, fewer if they are large)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the sample (default: %(default)s)")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Explore ``args.dataset`` and write the report to ``args.out``.

    Raises
    ------
    BloodcellError
        If the images or the output cannot be used; nothing is written then.
    """
    out = check_output_file(args.out)
    if args.sample is not None and args.sample < 1:
        raise DatasetError(f"A sample must have at least 1 image. Received: {args.sample}.")
    if args.seed < 0:
        raise DatasetError(f"The seed must be 0 or more. Received: {args.seed}.")
    opened = open_images(args.dataset, args)
    images = opened.contents
    records, mask_by_image = pair_masks(images, opened.records)
    with _show_bar("files", len(records)) as on_progress:
        table = survey_images(images, records, on_progress)
    readable = [record for record, problem in zip(records, table["problem"], strict=True) if not problem]
    if not readable:
        raise DatasetError(f"None of the images can be read. The first: {table['problem'].iloc[0]}")
    n_sample = args.sample or _choose_sample_size(table)
    sample = sample_records(readable, n_sample, args.seed)
    with _show_bar("gray levels", len(sample)) as on_progress:
        levels = measure_sample_levels(images, sample, on_progress)
    with _show_bar("segment", len(sample)) as on_progress:
        comparison = compare_methods(images, sample, mask_by_image, on_progress)
    tiles, examples = _make_tiles(images, sample, mask_by_image)
    unlisted = [(problem.file, problem.reason) for problem in opened.problems]
    report = Exploration(
        opened.name, table, n_sample, args.seed, levels, comparison, tiles, examples, len(mask_by_image), unlisted
    )
    write_output(out, write_html(build_exploration_document(report)))
    classes = format_count(table["label"].nunique(), "class", "classes")
    print_info(f"{format_count(len(records), 'image')}, {classes}, {format_count(len(mask_by_image), 'true mask')}")
    print_info(f"  examined closely: {len(levels.records)}")
    broken = [f"{to_printable(row.file)} ({to_printable(row.problem)})" for row in table.itertuples() if row.problem]
    broken += [f"{to_printable(file)} ({to_printable(problem)})" for file, problem in levels.problems]
    for line in format_names("unreadable", broken):
        print_info(line)
    print_info(f"written to {out}")
    return 0


def _choose_sample_size(table: pd.DataFrame) -> int:
    pixels = (table["height_px"] * table["width_px"])[table["problem"] == ""]
    return max(1, min(SAMPLE_IMAGES, int(SAMPLE_PIXELS / pixels.mean())))


def _make_tiles(
    images: Contents, sample: list[Record], mask_by_image: dict[str, str]
) -> tuple[list[Tile], list[Example]]:
    """Make the random grid, and an example of each class segmented by every method."""
    tiles: list[Tile] = []
    examples: list[Example] = []
    for record, rgb in iterate_example_images(images, sample, N_PER_CLASS):
        tiles.append(make_tile(record.file, record.label, rgb))
        if len(examples) < MAX_EXAMPLES and record.label not in {example.label for example in examples}:
            truth = _read_truth(images, mask_by_image.get(record.file), (rgb.shape[0], rgb.shape[1]))
            examples.append(make_example(record.file, record.label, rgb, truth))
    return tiles, examples


def _read_truth(images: Contents, file: str | None, shape: tuple[int, int]) -> TrueMask | None:
    try:
        return read_true_mask(images, file, shape) if file else None
    except BloodcellError:
        return None  # listed among the comparison's problems


@contextmanager
def _show_bar(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    with tqdm(total=total, unit="image", desc=what) as bar:
        yield lambda done, _total: bar.update(done - bar.n)
