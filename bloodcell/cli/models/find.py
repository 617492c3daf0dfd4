"""``find``: files in, boxes of white cells out, without any model."""

import argparse
from collections import deque
from collections.abc import Iterator

from tqdm import tqdm

from bloodcell.cli.shared.arguments import OUT_CSV_HELP, PATHS_HELP
from bloodcell.cli.shared.output import check_output_file, check_paths, print_info, write_output
from bloodcell.cli.shared.summary import format_failed_images
from bloodcell.core.errors import BloodcellError, IntakeError
from bloodcell.core.io import encode_csv
from bloodcell.core.labels import UNREADABLE
from bloodcell.datasets.sources.uploads import count_paths, read_paths
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.field_scale import describe_scale
from bloodcell.inference.pipeline import find_cells
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.reports.numbers import format_count

HEADER = ("file", "x", "y", "width", "height")


DETAILS = (
    "Writes file,x,y,width,height in pixels of the original image, one row per white cell. An image without a white cell has "
    "no row; it is named on stderr. If no file at all can be used, the exit code is 1 and the CSV is still written."
)
EXAMPLE = "find slides/ --out boxes.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``find``."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=PATHS_HELP)
    parser.add_argument("--out", required=True, metavar="FILE.csv", help=OUT_CSV_HELP)


def run(args: argparse.Namespace) -> int:
    """Find the white cells in ``args.paths`` and write their boxes to ``args.out``.

    Exact duplicates are searched one by one. The CSV has no BOM: it is for programs.

    Returns
    -------
    int
        1 if no file could be used (a CSV with the header alone is written all the same), else 0.

    Raises
    ------
    BloodcellError
        If a path or the output cannot be used; nothing is written then.
    """
    paths = check_paths(args.paths)
    out = check_output_file(args.out)
    names: deque[str] = deque()  # of images that the pipeline has read but not answered yet

    def contents() -> Iterator[bytes | BloodcellError]:
        for file in read_paths(paths):
            names.append(file.name)
            if file.data is None or file.problem:
                yield IntakeError(file.problem or "The file could not be read.")
            else:
                yield file.data

    rows: list[tuple[str, int, int, int, int]] = []
    images: list[tuple[str, str, str]] = []
    with tqdm(total=count_paths(paths), unit="image", desc="find") as bar:
        finder, scale, images_read = make_batch_finder(Detector(SHIPPED_DETECTOR), contents())
        for result in find_cells(images_read, finder):
            name = names.popleft()
            images.append((name, result.status, result.message))
            boxes = [cell.box for cell in result.cells]
            rows.extend((name, box.left, box.top, box.width, box.height) for box in boxes)
            bar.update()

    write_output(out, encode_csv(HEADER, rows, bom=False))
    for line in [
        f"{format_count(len(images), 'image')}, {format_count(len(rows), 'cell')}",
        describe_scale(scale),
        *format_failed_images(images),
    ]:
        print_info(line)
    print_info(f"written to {out}")
    if all(status == UNREADABLE for _, status, _ in images):
        print_info("error: no file could be used; the reasons are above.")
        return 1
    return 0
