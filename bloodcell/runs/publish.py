"""Model folders on their way to the shelf."""

import errno
from pathlib import Path

from bloodcell.errors import RunError
from bloodcell.settings import Settings


def unfinished_dir(run_dir: Path) -> Path:
    """Where a run is kept until its model is whole, beside the folder that it will be."""
    return run_dir.with_name(f".{run_dir.name}.unfinished")


def publish(folder: Path, name: str, settings: Settings) -> str:
    """Move a model folder whole to the workspace's runs, under `name` or, where that is taken, with a number behind it.

    A name of a shipped model is taken too. `folder` must lie on the same disk as the workspace, so that it is there
    whole or not at all.

    Returns
    -------
    str, its name on the shelf

    Raises
    ------
    RunError
        If there is no such folder, or it cannot be moved.
    """
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    number, tried = 1, name
    while True:
        try:
            if not (settings.shelf / tried).exists() and not (settings.runs_dir / tried).exists():
                folder.rename(settings.runs_dir / tried)
                return tried
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # those: another run was quicker
                raise RunError(f"The model {folder} cannot be moved to the shelf: {error.strerror}.") from error
        number += 1
        tried = f"{name}-{number}"
