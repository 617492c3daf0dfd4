"""``count``: fields in, white cells, red cells and platelets of each out; their boxes too, where asked for."""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.arguments import OUT_CSV_HELP, PATHS_HELP
from bloodcell.cli.shared.output import check_output_file, check_paths, print_info, update_bar, write_output
from bloodcell.cli.shared.summary import format_failed_images
from bloodcell.core.errors import IntakeError
from bloodcell.core.io import open_atomic
from bloodcell.core.labels import DETECTED
from bloodcell.core.settings import load_settings
from bloodcell.core.text import clean_text
from bloodcell.datasets.boxes.write_boxes import FORMATS, write_box_archive
from bloodcell.datasets.sources.uploads import count_paths, read_paths
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_scale import describe_scale
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.reports.numbers import format_count
from bloodcell.review.count_files import (
    CountedFile,
    count_files,
    count_large_file,
    is_large_file,
    make_boxed_image,
    tabulate_counts,
)
from bloodcell.review.field_counts import compute_field_totals, encode_fields

DETAILS = (
    "Writes one row per field: white cells, red cells, platelets, ratios, the scale, and why a field is unfit for counting. "
    "No classifier is used. TIFFs of up to 20,000 px a side, and slides (.svs, .ndpi, .mrxs, with the extra slides), are "
    "looked at in windows. With --boxes, all boxes and their images go into a zip that annotation tools read."
)
EXAMPLE = "count slides/ --out counts.csv --boxes boxes.zip --format coco"
_SHORT_FORMATS = {"voc": FORMATS[0], "coco": FORMATS[1], "yolo": FORMATS[2]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``count``."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=PATHS_HELP)
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)
    parser.add_argument("--boxes", metavar="FILE.zip", help="write all boxes and their images to this zip")
    parser.add_argument(
        "--format", choices=tuple(_SHORT_FORMATS), default="coco", help="format of the boxes (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Count the cells of ``args.paths`` into ``args.out``.

    Returns
    -------
    int
        1 if no field could be counted (the CSV is written all the same), else 0.

    Raises
    ------
    BloodcellError
        If a path or an output cannot be used; nothing is written then.
    """
    red_cells_per_l = load_settings().red_cells_per_l
    paths = check_paths(args.paths)
    out = check_output_file(args.out)
    archive = check_output_file(args.boxes) if args.boxes else None
    large = [path for path in paths if is_large_file(path)]
    small = [path for path in paths if path not in large]
    files = [*_count_small(small), *_count_large(large)]
    fields = tabulate_counts(files)
    write_output(out, encode_fields(fields))
    totals = compute_field_totals(fields, red_cells_per_l)
    counts = ", ".join(
        (
            format_count(totals.white_cells, "white cell"),
            format_count(totals.red_cells, "red cell"),
            format_count(totals.platelets, "platelet"),
        )
    )
    for line in [
        f"{format_count(totals.n_fields, 'field')}: {counts}",
        f"  white cells per 100 red cells: {totals.white_per_100_red.format()}",
        f"  platelets per 1,000 red cells: {totals.platelets_per_1000_red.format()}",
        f"  estimates, if there are {totals.red_cells_per_l / 1e12:.1f} x 10^12 red cells per litre:"
        f" white cells {totals.white_per_l.format(1, 1e9)} x 10^9/L,"
        f" platelets {totals.platelets_per_l.format(0, 1e9)} x 10^9/L",
        "  fields that were chosen for a white cell give too many of them",
        f"  fields unfit for counting: {totals.n_unfit}",
        *format_failed_images((file.name, file.result.status, file.result.message) for file in files),
    ]:
        print_info(line)
    print_info(f"written to {out}")
    if archive is not None:
        _write_boxes(archive, _SHORT_FORMATS[args.format], files, small)
    return 0 if totals.n_fields else 1


def _count_small(paths: Sequence[Path]) -> list[CountedFile]:
    """Count files that are unpacked whole; together they are a batch."""
    if not paths:
        return []
    with tqdm(total=count_paths(paths), unit="image", desc="count") as bar:
        files, scale = count_files(Detector(SHIPPED_DETECTOR), read_paths(paths), bar.update)
    print_info(describe_scale(scale))
    return files


def _count_large(paths: Sequence[Path]) -> list[CountedFile]:
    """Count files that are looked at in windows, each a batch of its own."""
    files = []
    for path in paths:
        detector = Detector(SHIPPED_DETECTOR, n_threads=os.cpu_count() or 1)
        with tqdm(unit="window", desc=path.name) as bar:
            file, scale = count_large_file(detector, path, partial(update_bar, bar))
        files.append(file)
        print_info(f"{path.name}: {describe_scale(scale)} {file.result.message}".strip())
    return files


def _write_boxes(archive: Path, kind: str, files: Sequence[CountedFile], paths: Sequence[Path]) -> None:
    """Write the boxes of files that are unpacked whole, reading each once more in the same order."""
    boxed = [image for file in files if (image := make_boxed_image(file)) is not None]
    incoming = read_paths(paths)

    def read(name: str) -> bytes:
        data = next((file.data for file in incoming if clean_text(file.name) == name), None)
        if data is None:
            raise IntakeError("It can no longer be read.")
        return data

    with open_atomic(archive) as stream:
        problems = write_box_archive(kind, boxed, read, DETECTED, stream)
    for problem in problems:
        print_info(f"  left out {problem.file}: {problem.reason}")
    print_info(f"boxes of {format_count(len(boxed) - len(problems), 'image')} written to {archive} ({kind})")
