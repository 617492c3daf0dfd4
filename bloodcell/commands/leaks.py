"""``leaks``: two sets of images, or a dataset and a split of it, in; the pairs that they share out."""

import argparse
from pathlib import Path

from tqdm import tqdm

from bloodcell.commands.output import advance, output_file, shown, tell, write_whole
from bloodcell.commands.summary import counted, named
from bloodcell.data.leaks import SAME_BYTES, ImageSet, LeakReport, find_leaks
from bloodcell.data.records import ImageSource, image_records
from bloodcell.data.split import EXCLUDED
from bloodcell.data.split_file import read_split
from bloodcell.errors import DatasetError


def run(args: argparse.Namespace) -> int:
    """Write what ``args.a`` and ``args.b``, or the parts of ``args.split``, share to ``args.out``.

    Returns
    -------
    int, exit code: 0 whether there are leaks or not

    Raises
    ------
    BloodcellError
        If a set, the split or the output cannot be used; nothing is written then.
    """
    if (args.b is None) == (args.split is None):
        raise DatasetError("leaks takes two sets of images, A and B, or one set and --split FILE.")
    out = output_file(args.out)
    sets = _two_sets(args.a, args.b) if args.split is None else _parts(Path(args.a), Path(args.split))
    with tqdm(total=3 * sum(len(one.records) for one in sets), unit="step", desc="leaks") as bar:
        report = find_leaks(sets, lambda done, total: advance(bar, done, total))
    write_whole(out, report.csv())
    for line in _summary(report):
        tell(line)
    tell(f"written to {out}")
    return 0


def _two_sets(a: str, b: str) -> list[ImageSet]:
    names = [Path(text).resolve().name for text in (a, b)]
    if names[0] == names[1]:
        names = [a, b] if a != b else [f"{a} (A)", f"{b} (B)"]
    sources = [ImageSource(Path(text)) for text in (a, b)]
    return [ImageSet(name, source, image_records(source)) for name, source in zip(names, sources, strict=True)]


def _parts(dataset: Path, path: Path) -> list[ImageSet]:
    """One set for each part of the split but the excluded."""
    source = ImageSource(dataset)
    split = read_split(path, leaky=True)  # whether it leaks is the question
    by_file = {record.file: record for record in image_records(source)}
    missing = [file for file in split.table["file"] if file not in by_file]
    if missing:
        raise DatasetError(f"{path.name} must name images of {dataset.name}. Not there: {missing[0]}.")
    return [
        ImageSet(part, source, [by_file[file] for file in split.table["file"][split.table["split"] == part]])
        for part in split.parts
        if part != EXCLUDED
    ]


def _summary(report: LeakReport) -> list[str]:
    same_bytes = sum(pair.kind == SAME_BYTES for pair in report.pairs)
    differing = sum(report.records[pair.a].label != report.records[pair.b].label for pair in report.pairs)
    lines = [f"{counted(len(report.pairs), 'pair')}, {same_bytes} of the same bytes, {differing} with different labels"]
    for one in report.touched:
        images = f"{one.images_touched} of {counted(one.images, 'image')} ({one.images_touched / one.images:.1%})"
        cells = f"{one.source_cells_touched} of {counted(one.source_cells, 'source cell')}"
        lines.append(f"{shown(one.name)}: {images}, {cells} are in another set too")
    unreadable = [f"{shown(file)} in {shown(name)} ({reason})" for name, file, reason in report.unreadable]
    return lines + named("unreadable, compared by their bytes alone", unreadable)
