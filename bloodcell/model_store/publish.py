"""Moving a finished model folder into the model library."""

import errno
from collections.abc import Callable
from pathlib import Path

from bloodcell.core.errors import RunError
from bloodcell.core.settings import Settings


def get_unfinished_dir(run_dir: Path) -> Path:
    """Return where a run works until its model is whole: a hidden folder beside the one that it will be."""
    return run_dir.with_name(f".{run_dir.name}.unfinished")


def publish_model(folder: Path, name: str, settings: Settings) -> str:
    """Move a model folder whole to the runs of the workspace.

    Parameters
    ----------
    folder : Path
        On the same disk as the workspace, so that the model is there whole or not at all.
    name : str
        The name to give it. Where a model of the workspace or a shipped one has that name, a number follows it.

    Returns
    -------
    str
        The name that it got.

    Raises
    ------
    RunError
        If there is no such folder, or it cannot be moved.
    """
    library_dirs = (settings.shipped_models_dir, settings.runs_dir)
    return move_to_free_name(
        folder, settings.runs_dir, name, lambda tried: any((library / tried).exists() for library in library_dirs)
    )


def move_to_free_name(folder: Path, parent: Path, name: str, is_taken: Callable[[str], bool]) -> str:
    """Move a folder whole into `parent`, with a number after `name` where that is taken.

    Parameters
    ----------
    folder : Path
        What to move.
    parent : Path
        Made where it is missing.
    name : str
        The name to give it.
    is_taken : callable
        Says whether a name is taken.

    Returns
    -------
    str
        The name that it got.

    Raises
    ------
    RunError
        If it cannot be moved.
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
