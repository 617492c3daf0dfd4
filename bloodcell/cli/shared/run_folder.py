"""What the commands that train share: their folders, going on with one that was begun, bars on the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from bloodcell.cli.shared.output import print_info, update_bar
from bloodcell.core.errors import DatasetError, RunError
from bloodcell.core.progress import Control, Progress
from bloodcell.model_store.publish import get_unfinished_dir


def find_data_dir(text: str) -> Path:
    """The data folder; DatasetError if there is none."""
    data_dir = Path(text)
    if not data_dir.is_dir():
        raise DatasetError(f"There is no data folder {data_dir}.")
    return data_dir


def find_work_dir(run_dir: Path, resume: bool) -> Path:
    """Where a run of `run_dir` lies until it is whole.

    Raises
    ------
    RunError
        If `run_dir` holds something; there is a run to go on with and `resume` does not say so, or the other way round.
    """
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise RunError(f"The run folder {run_dir} is not empty: name a new one.")
    work_dir = get_unfinished_dir(run_dir)
    has_epochs = _has_epochs(work_dir)
    if resume and not has_epochs:
        raise RunError(f"There is no run of {run_dir} with a finished epoch to go on with: leave out --resume.")
    if has_epochs and not resume:
        raise RunError(f"A run of {run_dir} was begun: go on with --resume, or delete {work_dir}.")
    return work_dir


@contextmanager
def print_resume_hint(work_dir: Path) -> Iterator[None]:
    """Say after Ctrl-C how to go on, where there is something to go on with."""
    try:
        yield
    except KeyboardInterrupt:
        if _has_epochs(work_dir):
            print_info("The finished epochs are kept: the same command with --resume goes on.")
        raise


def _has_epochs(work_dir: Path) -> bool:
    return any(work_dir.glob("checkpoint/*.npz"))


class TerminalProgress(Control):
    """Shows a run as progress bars: one a source that is read, one an epoch; and lines between them."""

    def __init__(self) -> None:
        self.bars: dict[str, tqdm] = {}

    def on_reading(self, source: str, done: int, total: int) -> None:
        self._show(source, done, total)

    def on_batch(self, progress: Progress) -> None:
        fit = f"fit {progress.fit} of {progress.fits}, " if progress.fits > 1 else ""
        name = f"{fit}epoch {progress.epoch} of {progress.epochs}"
        done = progress.batch * progress.images // progress.batches
        self._show(name, done, progress.images, f"loss {progress.loss}, accuracy {progress.accuracy}")

    def log(self, line: str) -> None:
        tqdm.write(line)

    def _show(self, name: str, done: int, total: int, figures: str = "") -> None:
        bar = self.bars.get(name) or tqdm(total=total, unit="image", desc=name, leave=not figures)
        self.bars[name] = bar
        bar.set_postfix_str(figures, refresh=False)
        update_bar(bar, done, total)
        if done == total:
            self.bars.pop(name).close()
