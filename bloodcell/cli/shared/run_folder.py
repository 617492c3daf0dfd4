"""What the commands that train share: their folders, continuing a stopped run, progress bars on the terminal."""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.output import print_info, update_bar
from bloodcell.core.errors import RunError
from bloodcell.core.installation import require_training
from bloodcell.core.io import find_data_dir
from bloodcell.core.progress import Control, Progress
from bloodcell.core.settings import load_settings
from bloodcell.model_store.publish import get_unfinished_dir
from bloodcell.training.output.result_folder import RESULT_DIR


def announce_training_library(work: str = "Training") -> None:
    """Say that TensorFlow is loaded, which takes seconds.

    Parameters
    ----------
    work : str, default "Training"
        What needs it, as `core.installation.require_training` takes it.

    Raises
    ------
    BloodcellError
        If the packages of the extra ``train`` are not installed.
    """
    require_training(work)
    print_info("Loading TensorFlow ...")


def find_work_dir(run_dir: Path, resume: bool) -> Path:
    """Return the folder in which a run of `run_dir` lies until it is whole.

    Parameters
    ----------
    run_dir : Path
        Where the result goes; missing or empty.
    resume : bool
        Whether a stopped run is to be continued.

    Raises
    ------
    RunError
        If `run_dir` is not empty; if there is a stopped run without `resume`; or if there is none with it.
    """
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise RunError(f"The run folder {run_dir} is not empty. Choose a new one.")
    work_dir = get_unfinished_dir(run_dir)
    has_epochs = _has_epochs(work_dir)
    if resume and not has_epochs:
        raise RunError(f"There is no run of {run_dir} with a finished epoch to continue: leave out --resume.")
    if has_epochs and not resume:
        raise RunError(f"A run of {run_dir} was started before: continue it with --resume, or delete {work_dir}.")
    return work_dir


@dataclass(frozen=True)
class RunFolder:
    """Where an experiment works.

    Attributes
    ----------
    work_dir : Path
        Its unfinished folder.
    data_dir : Path
        Folder that the paths of the sources start from.
    cache_dir : Path
        Folder for crops, shared by runs.
    progress : TerminalProgress
    """

    work_dir: Path
    data_dir: Path
    cache_dir: Path
    progress: "TerminalProgress"


@contextmanager
def open_run_folder(args: argparse.Namespace) -> Iterator[RunFolder]:
    """Give the folder in which an experiment works; after the block its results are at ``args.out``.

    Parameters
    ----------
    args : Namespace
        With the arguments of `arguments.add_experiment_arguments`.

    Raises
    ------
    DatasetError, RunError
        As `core.io.find_data_dir` and `find_work_dir`.
    """
    data_dir, out = find_data_dir(args.data), Path(args.out)
    work_dir = find_work_dir(out, args.resume)
    announce_training_library()
    with print_resume_hint(work_dir):
        yield RunFolder(work_dir, data_dir, load_settings().home / "cache", TerminalProgress())
    (work_dir / RESULT_DIR).replace(out)
    shutil.rmtree(work_dir)
    print_info(f"written to {out}")


@contextmanager
def print_resume_hint(work_dir: Path) -> Iterator[None]:
    """Say after Ctrl-C how to continue, where there is something to continue."""
    try:
        yield
    except KeyboardInterrupt:
        if _has_epochs(work_dir):
            print_info("The finished epochs are kept: run the same command with --resume to continue.")
        raise


def _has_epochs(work_dir: Path) -> bool:
    return any(work_dir.glob("checkpoint/*.npz"))


class TerminalProgress(Control):
    """Shows a run as progress bars, one per source that is read and one per epoch, and lines between them."""

    def __init__(self) -> None:
        self.bars: dict[str, tqdm] = {}

    def on_reading(self, source: str, done: int, total: int) -> None:
        """Move the bar of a source."""
        self._show(source, done, total)

    def on_batch(self, progress: Progress) -> None:
        """Move the bar of an epoch."""
        fit = f"fit {progress.fit} of {progress.fits}, " if progress.fits > 1 else ""
        name = f"{fit}epoch {progress.epoch} of {progress.epochs}"
        done = progress.batch * progress.images // progress.batches
        self._show(name, done, progress.images, f"loss {progress.loss}, accuracy {progress.accuracy}")

    def log(self, line: str) -> None:
        """Print a line above the bars."""
        tqdm.write(line)

    def _show(self, name: str, done: int, total: int, metrics: str = "") -> None:
        bar = self.bars.get(name) or tqdm(total=total, unit="image", desc=name, leave=not metrics)
        self.bars[name] = bar
        bar.set_postfix_str(metrics, refresh=False)
        update_bar(bar, done, total)
        if done == total:
            self.bars.pop(name).close()
