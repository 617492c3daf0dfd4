"""The evaluations of a workspace: list, read, store and remove them."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bloodcell.core.errors import RunError
from bloodcell.core.settings import Settings
from bloodcell.evaluation.evaluation_folder import (
    EVALUATION_FILE,
    Evaluation,
    read_evaluation_summary,
    write_evaluation,
)
from bloodcell.evaluation.metrics.report import EvaluationReport
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.model_store.publish import move_to_free_name


@dataclass(frozen=True)
class EvaluationInfo:
    """A stored evaluation without its predictions.

    Attributes
    ----------
    name : str
        Of its folder.
    folder : Path
    protocol : EvaluationProtocol
    report : EvaluationReport
    """

    name: str
    folder: Path
    protocol: EvaluationProtocol
    report: EvaluationReport


def list_evaluations(settings: Settings) -> list[EvaluationInfo]:
    """List all evaluations, the newest first; damaged ones are left out (`get_evaluation` tells why)."""
    dated = []  # those created in the same second in the order in which they were written
    for file in settings.evaluations_dir.glob(f"*/{EVALUATION_FILE}"):
        if not file.parent.name.startswith("."):
            with suppress(RunError, FileNotFoundError):
                info = _read_info(file.parent)
                dated.append(((info.protocol.created, file.stat().st_mtime_ns, info.name), info))
    return [info for _, info in sorted(dated, key=lambda entry: entry[0], reverse=True)]


def get_evaluation(name: str, settings: Settings) -> EvaluationInfo:
    """Return the evaluation of that name.

    Raises
    ------
    RunError
        If there is none, or it is damaged.
    """
    by_name = {info.name: info for info in list_evaluations(settings)}
    if name in by_name:
        return by_name[name]
    if name in {folder.name for folder in settings.evaluations_dir.glob("*/")}:
        return _read_info(settings.evaluations_dir / name)
    raise RunError(f"There is no evaluation {name[:100]!r}. It may have been deleted.")


def store_evaluation(evaluation: Evaluation, folder: Path, name: str, settings: Settings) -> str:
    """Store an evaluation in the workspace, whole or not at all.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        To write it into first, on the disk of the workspace; what is there is deleted.
    name : str
        Wanted; where it is taken, a number is appended.
    settings : Settings

    Returns
    -------
    str
        The name that it got.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_evaluation(folder, evaluation)
    library_dir = settings.evaluations_dir
    return move_to_free_name(folder, library_dir, name, lambda candidate: (library_dir / candidate).exists())


def remove_evaluation(info: EvaluationInfo) -> None:
    """Delete an evaluation; no error if it is already gone."""
    shutil.rmtree(info.folder, ignore_errors=True)


def _read_info(folder: Path) -> EvaluationInfo:
    return EvaluationInfo(folder.name, folder, *read_evaluation_summary(folder))
