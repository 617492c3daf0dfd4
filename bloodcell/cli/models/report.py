"""``report``: a kept evaluation in, one self-contained HTML file or PDF out."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.output import output_file, shown, tell, write_whole
from bloodcell.core.errors import RunError, StoreError
from bloodcell.core.settings import Settings, load_settings
from bloodcell.evaluation.confident_errors import wrong_answers
from bloodcell.evaluation.evaluation_folder import EVALUATION_FILE, read_evaluation
from bloodcell.evaluation.library import get_evaluation
from bloodcell.reports.evaluation_pdf import evaluation_pdf
from bloodcell.reports.evaluation_report import Judged, evaluation_report

_WRITERS = {".html": evaluation_report, ".pdf": evaluation_pdf}


def run(args: argparse.Namespace) -> int:
    """Write the report on the evaluation ``args.dir`` to ``args.out``.

    Raises
    ------
    BloodcellError
        If there is no such evaluation, it is damaged, or the output cannot be written; nothing is written then.
    """
    out = output_file(args.out)
    if out.suffix.lower() not in _WRITERS:
        raise StoreError(f"The report must be a file that ends in .html or .pdf. Received: {shown(out.name)}.")
    settings = load_settings()
    evaluation = read_evaluation(_folder(args.dir, settings))
    found = Judged(evaluation, wrong_answers(evaluation, settings))
    write_whole(out, _WRITERS[out.suffix.lower()](found))
    if found.wrong.problem:
        tell(shown(found.wrong.problem))
    tell(f"written to {out}")
    return 0


def _folder(text: str, settings: Settings) -> Path:
    """A folder that `evaluate` wrote, or that of an evaluation of the workspace."""
    path = Path(text)
    if (path / EVALUATION_FILE).is_file():
        return path
    if path.is_dir():
        raise RunError(f"The folder {shown(text)} holds no evaluation: give what `evaluate --out` wrote.")
    return get_evaluation(text, settings).folder
