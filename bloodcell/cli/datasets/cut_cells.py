"""``cut-cells``: images with boxes in, single cells in a folder a class out."""

import argparse
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.output import print_info, to_printable, update_bar
from bloodcell.core.errors import DatasetError
from bloodcell.datasets.boxes.box_sets import map_labels
from bloodcell.datasets.boxes.cut_cells import CELLS_CSV, cut_cells
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.sources.contents import Contents
from bloodcell.reports.numbers import format_count

DETAILS = (
    "Reads Pascal VOC, COCO, YOLO or a CSV of boxes. Writes a PNG of each cell with its surroundings, and cells.csv, whose "
    "column group keeps the cells of one image together in a split (--groups cells.csv). --label renames labels: --label "
    "Platelets=PLATELET; with --only, all others are left out."
)
EXAMPLE = "cut-cells annotated/ --out cells"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``cut-cells``."""
    parser.add_argument("dataset", metavar="DATASET", help="folder or zip of images with boxes")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to create for the cells")
    parser.add_argument("--names", metavar="A,B,C", help="the classes 0, 1, 2 ... of YOLO, where no file says them")
    parser.add_argument(
        "--label", action="append", default=[], metavar="OLD=NEW", help="call a label by another name; may be repeated"
    )
    parser.add_argument("--only", action="store_true", help="leave out all labels that no --label names")


def run(args: argparse.Namespace) -> int:
    """Cut the cells of ``args.dataset`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the dataset has no boxes, a --label makes no sense, or the folder is not empty.
    """
    mapping = dict(_read_pair(text) for text in args.label)
    with Contents(Path(args.dataset)) as contents:
        boxes = read_box_set(contents, tuple(args.names.split(",")) if args.names else ())
        kept = {label: mapping.get(label, label) for label in boxes.label_counts if label in mapping or not args.only}
        with tqdm(unit="image") as bar:
            n_cells, problems = cut_cells(
                contents, map_labels(boxes, kept), Path(args.out), lambda done, total: update_bar(bar, done, total)
            )
    for problem in [*boxes.problems, *problems]:
        print_info(f"  {to_printable(problem.file)}: {problem.reason}")
    print_info(f"{format_count(n_cells, 'cell')} of {boxes.kind} written to {args.out}, listed in {CELLS_CSV}")
    return 0


def _read_pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not sign or not old.strip() or not new.strip():
        raise DatasetError(f"--label must be OLD=NEW. Received: {text!r}.")
    return old.strip(), new.strip()
