"""Model folders on their way to the shelf."""

import errno
from collections.abc import Callable
from pathlib import Path

from bloodcell.core.errors import RunError
from bloodcell.core.settings import Settings


def get_unfinished_dir(run_dir: Path) -> Path:
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
    libraries = (settings.shipped_models_dir, settings.runs_dir)
    return move_to_free_name(
        folder, settings.runs_dir, name, lambda tried: any((one / tried).exists() for one in libraries)
    )


def move_to_free_name(folder: Path, parent: Path, name: str, is_taken: Callable[[str], bool]) -> str:
    """Move a folder whole into another, under `name` or, where that is taken, with a number behind it; its name there.

    RunError if it cannot be moved.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number, tried = 1, name
    while True:
        try:
            if not is_taken(tried):
                folder.rename(parent / tried)
                return tried
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # those: another run was quicker
                raise RunError(f"The folder {folder} cannot be moved to {parent}: {error.strerror}.") from error
        number += 1
        tried = f"{name}-{number}"
