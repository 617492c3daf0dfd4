"""What the work of a job is given: its settings and folder, and where to report its progress."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack

import psutil
from sqlalchemy import Engine

from bloodcell.core.errors import StoreError
from bloodcell.core.installation import require_training
from bloodcell.core.io import find_data_dir
from bloodcell.core.progress import Control, Progress
from bloodcell.core.settings import Settings
from bloodcell.jobs.files import CHECKPOINT_DIR
from bloodcell.jobs.store import Job, JobProgress, write_heartbeat
from bloodcell.model_store.publish import publish_model

HEARTBEAT_INTERVAL_S = 1.0
# What `JobProgress` may give as its phase, as the database has it.
READING, TRAINING, LOADING = "reading", "learning", "loading"


class Task:
    """One attempt of a job, seen from the work itself.

    Attributes
    ----------
    job : Job
    settings : Settings
        Of the installation.
    folder : Path
        The job's own; what lies in it is there again when the job is resumed.
    """

    def __init__(self, job: Job, settings: Settings, folder: Path) -> None:
        self.job, self.settings, self.folder = job, settings, folder
        self._progress: JobProgress = {}
        self._stop = threading.Event()

    @property
    def cache_dir(self) -> Path:
        """Crops and source cells that all runs of the workspace share."""
        return self.settings.home / "cache"

    def start_training(self, work: str = "Training") -> Path:
        """Check that the job has all that training needs, log that the library is being loaded; return the data folder.

        Parameters
        ----------
        work : str, default "Training"
            As for `require_training`.

        Raises
        ------
        DatasetError
            If there is no data folder.
        BloodcellError
            If the packages for training are not installed.
        """
        data_dir = find_data_dir(self.job.data_dir)
        require_training(work)
        self.log("Loading the training library ...")
        return data_dir

    def publish_result(self, folder: str) -> str:
        """Move a folder of the job's own to runs/, delete the checkpoint, and return the name in runs/."""
        name = publish_model(self.folder / folder, self.job.name, self.settings)
        shutil.rmtree(self.folder / CHECKPOINT_DIR)
        return name

    def report(self, **values: Unpack[JobProgress]) -> None:
        """Change parts of the reported progress. Quick: the heartbeat writes it to the database."""
        self._progress = self._progress | values

    def log(self, line: str) -> None:
        """Write a line to the job's log; on a full disk the work goes on without it."""
        with suppress(OSError):
            sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
            sys.stdout.flush()

    def should_stop(self) -> bool:
        """Return whether the work shall stop as soon as it can."""
        return self._stop.is_set()

    def read_progress(self) -> JobProgress:
        """Return the reported progress, with the memory that the process takes."""
        memory_mb: int = round(psutil.Process().memory_info().rss / 1e6)
        return {**self._progress, "memory_mb": memory_mb}

    def stop(self) -> None:
        """Make `should_stop` true."""
        self._stop.set()


class TaskProgress(Control):
    """Report a training run in the job's progress and log.

    The phase is "reading" with source, done, total; or "learning" with the fields of `core.progress.Progress`, and once an
    epoch is finished that epoch's row of history.csv as `last_epoch`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_reading(self, source: str, done: int, total: int) -> None:
        """Report how many images are read."""
        self.task.report(phase=READING, source=source, done=done, total=total)

    def on_batch(self, progress: Progress) -> None:
        """Report where the run stands."""
        self.task.report(phase=TRAINING, **asdict(progress))

    def on_epoch(self, row: dict[str, Any]) -> None:
        """Report the metrics of an epoch."""
        self.task.report(last_epoch=row)

    def log(self, line: str) -> None:
        """Write a line to the job's log."""
        self.task.log(line)

    def should_stop(self) -> bool:
        """Return whether the job was cancelled."""
        return self.task.should_stop()


class Heartbeat:
    """A thread that writes a heartbeat every second, with the progress, and reads whether to stop.

    Where the database is locked or full for a while, the next beat tries again.
    """

    def __init__(self, db: Engine, task: Task) -> None:
        self.db, self.task = db, task
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._beat()

    def _run(self) -> None:
        while not self._ended.wait(HEARTBEAT_INTERVAL_S):
            self._beat()

    def _beat(self) -> None:
        try:
            if write_heartbeat(self.db, self.task.job, self.task.read_progress()) is not False:
                self.task.stop()
        except StoreError as error:
            self.task.log(f"the heartbeat could not be written: {error}")


def retry_write(write: Callable[[], object], tries: int = 30) -> None:
    """Write to a database that may be locked or full for a moment.

    Parameters
    ----------
    write : callable
    tries : int, default 30
        At intervals of a second.

    Raises
    ------
    StoreError
        If the last try failed too.
    """
    for left in reversed(range(tries)):
        try:
            write()
            return
        except StoreError:
            if not left:
                raise
            time.sleep(1)
