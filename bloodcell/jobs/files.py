"""A job's folder in the workspace: its spec, its log, the history of its epochs."""

import csv
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bloodcell.core.errors import StoreError
from bloodcell.core.io import write_json
from bloodcell.core.settings import Settings
from bloodcell.model_store.folder import HISTORY_FILE, SPEC_FILE

CHECKPOINT_DIR, LOG_FILE = "checkpoint", "log.txt"


def job_dir(settings: Settings, job_id: int) -> Path:
    """Return the folder of a job; it may not exist."""
    return settings.jobs_dir / str(job_id)


def make_job_dir(settings: Settings, job_id: int, spec: dict[str, Any]) -> Path:
    """Create the folder of a job, with its spec in spec.json, and return it.

    Raises
    ------
    StoreError
        If the workspace cannot be written to.
    """
    folder = job_dir(settings, job_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC_FILE, spec)
    except OSError as error:
        raise StoreError(f"The job's folder cannot be written: {error.strerror}.") from error
    return folder


def remove_job_dir(settings: Settings, job_id: int) -> None:
    """Delete the folder of a job with its log and checkpoint; it may be missing."""
    shutil.rmtree(job_dir(settings, job_id), ignore_errors=True)


def remove_checkpoint(settings: Settings, job_id: int) -> None:
    """Delete the checkpoint that a job would resume from, and its history."""
    folder = job_dir(settings, job_id)
    shutil.rmtree(folder / CHECKPOINT_DIR, ignore_errors=True)
    (folder / HISTORY_FILE).unlink(missing_ok=True)


def delete_old_files(folder: Path, days: int) -> None:
    """Delete files and folders in `folder` that were last written `days` ago or earlier; what cannot be deleted stays."""
    limit = time.time() - days * 24 * 3600
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            if path.stat().st_mtime > limit:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def read_log(settings: Settings, job_id: int, start: int = 0) -> tuple[str, int]:
    """Read what a job has written to its log; a line that is not finished yet is left for the next time.

    Parameters
    ----------
    settings : Settings
    job_id : int
    start : int, default 0
        The byte to read from.

    Returns
    -------
    text : str
        "" where there is no log.
    end : int
        Where to go on reading.
    """
    try:
        with (job_dir(settings, job_id) / LOG_FILE).open("rb") as stream:
            stream.seek(start)
            data = stream.read()
    except OSError:
        return "", start
    lines = data[: data.rfind(b"\n") + 1]
    return lines.decode("utf-8", "replace"), start + len(lines)


def read_history(settings: Settings, job_id: int) -> list[dict[str, float]]:
    """Read the finished epochs of a job, in order.

    Returns
    -------
    list of dict
        fit, epoch, loss, accuracy, val_loss, val_accuracy, val_balanced, rate, seconds; what was not measured is left
        out of a row. Empty before the first epoch.
    """
    try:
        with (job_dir(settings, job_id) / HISTORY_FILE).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError:
        return []
    return [{name: float(value) for name, value in row.items() if value} for row in rows]
