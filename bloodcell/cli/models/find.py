"""``find``: files in, boxes of white cells out, without any model."""

import argparse
from collections import deque
from collections.abc import Iterator

from tqdm import tqdm

from bloodcell.cli.shared.output import existing_paths, output_file, tell, write_whole
from bloodcell.cli.shared.summary import counted, image_lines
from bloodcell.core.csv_text import csv_bytes
from bloodcell.core.errors import BloodcellError, IntakeError
from bloodcell.core.labels import UNREADABLE
from bloodcell.datasets.sources.uploads import count_paths, from_paths
from bloodcell.inference.pipeline import find_only

HEADER = ("file", "x", "y", "width", "height")


def run(args: argparse.Namespace) -> int:
    """Find the white cells in ``args.paths`` and write their boxes to ``args.out``.

    Every file counts, also one with the bytes of another. The CSV has no BOM: programs read it.

    Returns
    -------
    int, exit code: 1 if no file could be used (a CSV with the header alone is there all the same), else 0

    Raises
    ------
    BloodcellError
        If a path or the output cannot be used; nothing is written then.
    """
    paths = existing_paths(args.paths)
    out = output_file(args.out)
    names: deque[str] = deque()  # of images that the pipeline has taken but not answered yet

    def contents() -> Iterator[bytes | BloodcellError]:
        for file in from_paths(paths):
            names.append(file.name)
            if file.data is None or file.problem:
                yield IntakeError(file.problem or "The file could not be read.")
            else:
                yield file.data

    rows: list[tuple[str, int, int, int, int]] = []
    images: list[tuple[str, str, str]] = []
    with tqdm(total=count_paths(paths), unit="image", desc="find") as bar:
        for result in find_only(contents()):
            name = names.popleft()
            images.append((name, result.status, result.message))
            boxes = [cell.box for cell in result.cells]
            rows.extend((name, box.left, box.top, box.width, box.height) for box in boxes)
            bar.update()

    write_whole(out, csv_bytes(HEADER, rows, bom=False))
    for line in [f"{counted(len(images), 'image')}, {counted(len(rows), 'cell')}", *image_lines(images)]:
        tell(line)
    tell(f"written to {out}")
    if all(status == UNREADABLE for _, status, _ in images):
        tell("error: none of the files could be used; the reasons stand above.")
        return 1
    return 0
