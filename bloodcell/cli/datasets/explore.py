"""``explore``: labelled images in, one self-contained HTML report out."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
from tqdm import tqdm

from bloodcell.cli.shared.inputs import open_images
from bloodcell.cli.shared.output import output_file, shown, tell, write_whole
from bloodcell.cli.shared.summary import counted, named
from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.datasets.catalog.exploration import compare_methods, pictures_to_show, sampled_levels
from bloodcell.datasets.catalog.survey import survey
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
    example,
    explore_report,
    tile,
)

SAMPLE_IMAGES = 600
SAMPLE_PIXELS = 200_000_000  # fewer images are looked at where they are large, so that the time stays below a minute


def run(args: argparse.Namespace) -> int:
    """Explore ``args.dataset`` and write the report to ``args.out``.

    Raises
    ------
    BloodcellError
        If the images or the output cannot be used; nothing is written then.
    """
    out = output_file(args.out)
    if args.sample is not None and args.sample < 1:
        raise DatasetError(f"A sample must have at least 1 image. Received: {args.sample}.")
    if args.seed < 0:
        raise DatasetError(f"The seed must be 0 or more. Received: {args.seed}.")
    opened = open_images(args.dataset, args)
    images = opened.contents
    records, mask_of = pair_masks(images, opened.records)
    with _bar("files", len(records)) as on_progress:
        table = survey(images, records, on_progress)
    readable = [record for record, problem in zip(records, table["problem"], strict=True) if not problem]
    if not readable:
        raise DatasetError(f"None of the {len(records)} images can be read; the first: {table['problem'].iloc[0]}")
    n_sample = args.sample or _sample_size(table)
    sample = sample_records(readable, n_sample, args.seed)
    with _bar("gray levels", len(sample)) as on_progress:
        levels = sampled_levels(images, sample, on_progress)
    with _bar("segment", len(sample)) as on_progress:
        comparison = compare_methods(images, sample, mask_of, on_progress)
    tiles, examples = _pictures(images, sample, mask_of)
    unlisted = [(problem.file, problem.reason) for problem in opened.problems]
    report = Exploration(
        opened.name, table, n_sample, args.seed, levels, comparison, tiles, examples, len(mask_of), unlisted
    )
    write_whole(out, explore_report(report))
    n_classes = table["label"].nunique()
    classes = f"{n_classes} class" if n_classes == 1 else f"{n_classes} classes"
    tell(f"{counted(len(records), 'image')}, {classes}, {counted(len(mask_of), 'true mask')}")
    tell(f"  looked at closely: {len(levels.records)}")
    broken = [f"{shown(row.file)} ({shown(row.problem)})" for row in table.itertuples() if row.problem]
    broken += [f"{shown(file)} ({shown(problem)})" for file, problem in levels.problems]
    for line in named("unreadable", broken):
        tell(line)
    tell(f"written to {out}")
    return 0


def _sample_size(table: pd.DataFrame) -> int:
    pixels = (table["height_px"] * table["width_px"])[table["problem"] == ""]
    return max(1, min(SAMPLE_IMAGES, int(SAMPLE_PIXELS / pixels.mean())))


def _pictures(images: Contents, sample: list[Record], mask_of: dict[str, str]) -> tuple[list[Tile], list[Example]]:
    """The random grid, and of each class the first picture by every method."""
    tiles: list[Tile] = []
    examples: list[Example] = []
    for record, rgb in pictures_to_show(images, sample, N_PER_CLASS):
        tiles.append(tile(record.file, record.label, rgb))
        if len(examples) < MAX_EXAMPLES and record.label not in {one.label for one in examples}:
            truth = _truth(images, mask_of.get(record.file), (rgb.shape[0], rgb.shape[1]))
            examples.append(example(record.file, record.label, rgb, truth))
    return tiles, examples


def _truth(images: Contents, file: str | None, shape: tuple[int, int]) -> TrueMask | None:
    try:
        return read_true_mask(images, file, shape) if file else None
    except BloodcellError:
        return None  # told among the comparison's problems


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    with tqdm(total=total, unit="image", desc=what) as bar:
        yield lambda done, _total: bar.update(done - bar.n)
