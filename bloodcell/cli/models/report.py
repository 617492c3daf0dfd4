"""``report``: an evaluation in, one self-contained HTML file or PDF out."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.output import check_output_file, print_info, to_printable, write_output
from bloodcell.core.errors import RunError, StoreError
from bloodcell.core.settings import Settings, load_settings
from bloodcell.evaluation.confident_errors import collect_wrong_predictions
from bloodcell.evaluation.evaluation_folder import EVALUATION_FILE, read_evaluation
from bloodcell.evaluation.library import get_evaluation
from bloodcell.reports.evaluation_report import EvaluationContent, build_evaluation_document
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.pdf_writer import write_pdf

_WRITERS = {".html": write_html, ".pdf": write_pdf}


DETAILS = (
    "One file that needs no internet: leaks, metrics with intervals, confusion matrix, calibration, the most confident errors "
    "with their images (as long as these still exist), and how to repeat the evaluation."
)
EXAMPLE = "report report/ --out report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``report``."""
    parser.add_argument(
        "dir",
        metavar="DIR",
        help="folder that `evaluate --out` wrote, or the name of an evaluation of the page Evaluate",
    )
    parser.add_argument("--out", required=True, metavar="FILE.html", help="report to write; FILE.pdf makes a PDF")


def run(args: argparse.Namespace) -> int:
    """Write the report on the evaluation ``args.dir`` to ``args.out``.

    Raises
    ------
    BloodcellError
        If there is no such evaluation, it is damaged, or the output cannot be written; nothing is written then.
    """
    out = check_output_file(args.out)
    if out.suffix.lower() not in _WRITERS:
        raise StoreError(f"The report must be a file that ends in .html or .pdf. Received: {to_printable(out.name)}.")
    settings = load_settings()
    evaluation = read_evaluation(_find_folder(args.dir, settings))
    found = EvaluationContent(evaluation, collect_wrong_predictions(evaluation, settings))
    write_output(out, _WRITERS[out.suffix.lower()](build_evaluation_document(found)))
    if found.wrong.problem:
        print_info(to_printable(found.wrong.problem))
    print_info(f"written to {out}")
    return 0


def _find_folder(text: str, settings: Settings) -> Path:
    """Return a folder that `evaluate` wrote, or that of an evaluation in the workspace."""
    path = Path(text)
    if (path / EVALUATION_FILE).is_file():
        return path
    if path.is_dir():
        raise RunError(
            f"The folder {to_printable(text)} holds no evaluation: name the folder that `evaluate --out` wrote."
        )
    return get_evaluation(text, settings).folder
