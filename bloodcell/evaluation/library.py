"""The evaluations of a workspace: which there are, and what each comes to."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcell.core.errors import RunError
from bloodcell.core.settings import Settings
from bloodcell.evaluation.evaluation_folder import (
    EVALUATION_FILE,
    Evaluation,
    read_evaluation_summary,
    write_evaluation,
)
from bloodcell.model_store.publish import move_to_free_name


@dataclass(frozen=True)
class EvaluationInfo:
    """One evaluation, without its answers: `name` of its folder, `protocol` and `report` of `stored.Evaluation`."""

    name: str
    folder: Path
    protocol: dict[str, Any]
    report: dict[str, Any]


def list_evaluations(settings: Settings) -> list[EvaluationInfo]:
    """All evaluations, the newest first; damaged ones are left out (`get_evaluation` tells why)."""
    dated = []  # those created in the same second in the order in which they were written
    for file in settings.evaluations_dir.glob(f"*/{EVALUATION_FILE}"):
        if not file.parent.name.startswith("."):
            with suppress(RunError, FileNotFoundError):
                info = _read_info(file.parent)
                dated.append(((info.protocol.get("created", ""), file.stat().st_mtime_ns, info.name), info))
    return [info for _, info in sorted(dated, key=lambda entry: entry[0], reverse=True)]


def get_evaluation(name: str, settings: Settings) -> EvaluationInfo:
    """The evaluation of that name; RunError if there is none, or it is damaged."""
    known = {one.name: one for one in list_evaluations(settings)}
    if name in known:
        return known[name]
    if name in {folder.name for folder in settings.evaluations_dir.glob("*/")}:
        return _read_info(settings.evaluations_dir / name)
    raise RunError(f"There is no evaluation {name[:100]!r}. It may have been deleted.")


def store_evaluation(evaluation: Evaluation, folder: Path, name: str, settings: Settings) -> str:
    """Write an evaluation by way of an unfinished folder; its name on the shelf.

    Parameters
    ----------
    folder : to write it in first, on the disk of the workspace; what is there is deleted
    name : wanted; where it is taken, a number is put behind it
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_evaluation(folder, evaluation)
    library_dir = settings.evaluations_dir
    return move_to_free_name(folder, library_dir, name, lambda tried: (library_dir / tried).exists())


def remove_evaluation(info: EvaluationInfo) -> None:
    """Delete an evaluation; one that is gone is none."""
    shutil.rmtree(info.folder, ignore_errors=True)


def _read_info(folder: Path) -> EvaluationInfo:
    document = read_evaluation_summary(folder)
    return EvaluationInfo(folder.name, folder, document["protocol"], document["report"])
