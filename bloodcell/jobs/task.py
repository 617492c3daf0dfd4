"""What a job's work is given: its settings and folder, and whom to tell."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine

from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.progress import Control, Progress
from bloodcell.core.settings import Settings
from bloodcell.jobs.files import CHECKPOINT_DIR
from bloodcell.jobs.store import Job, write_heartbeat
from bloodcell.model_store.publish import publish_model

HEARTBEAT_INTERVAL_S = 1.0
# What a job's progress may say of its phase.
READING, LEARNING, LOADING = "reading", "learning", "loading"


class Task:
    """One attempt of a job, seen from the work itself.

    job : the Job
    settings : of the installation
    folder : the job's own; what lies in it is there again when the job is resumed
    """

    def __init__(self, job: Job, settings: Settings, folder: Path) -> None:
        self.job, self.settings, self.folder = job, settings, folder
        self._progress: dict[str, Any] = {}
        self._stop = threading.Event()

    @property
    def cache_dir(self) -> Path:
        """Crops and source cells that all runs of the workspace share."""
        return self.settings.home / "cache"

    def find_data_dir(self) -> Path:
        """The job's data folder; DatasetError if it is not there."""
        data_dir = Path(self.job.data_dir)
        if not data_dir.is_dir():
            raise DatasetError(f"There is no data folder {data_dir}.")
        return data_dir

    def publish_result(self, folder: str) -> str:
        """Move a folder of the job's own to runs/ and forget what the job would go on from; its name there."""
        name = publish_model(self.folder / folder, self.job.name, self.settings)
        shutil.rmtree(self.folder / CHECKPOINT_DIR)
        return name

    def report(self, **values: Any) -> None:
        """Change what is told of the progress; values must fit into JSON. Quick: the heart writes it down."""
        self._progress = self._progress | values

    def log(self, line: str) -> None:
        """Write a line to the job's log; on a full disk the work goes on without it."""
        with suppress(OSError):
            sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
            sys.stdout.flush()

    def should_stop(self) -> bool:
        """Whether the work shall stop as soon as it can."""
        return self._stop.is_set()

    def progress(self) -> dict[str, Any]:
        """What is told of the progress now, with the memory that the process takes."""
        return self._progress | {"memory_mb": round(psutil.Process().memory_info().rss / 1e6)}

    def stop(self) -> None:
        """Make `should_stop` true."""
        self._stop.set()


class TaskProgress(Control):
    """Tells of a training run in the job's progress and log.

    The progress holds `phase`: "reading" with source, done, total; or "learning" with what `core.progress.OnProgress`
    holds, and once an epoch is finished that epoch's row of history.csv as `last_epoch`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_reading(self, source: str, done: int, total: int) -> None:
        """Tell how many images are read."""
        self.task.report(phase=READING, source=source, done=done, total=total)

    def on_batch(self, progress: Progress) -> None:
        """Tell where the run stands."""
        self.task.report(phase=LEARNING, **asdict(progress))

    def on_epoch(self, row: dict) -> None:
        """Tell the figures of an epoch."""
        self.task.report(last_epoch=row)

    def log(self, line: str) -> None:
        """Write a line to the job's log."""
        self.task.log(line)

    def should_stop(self) -> bool:
        """Whether the job was cancelled."""
        return self.task.should_stop()


class Heartbeat:
    """A thread that gives a sign of life every second, with the progress, and learns whether to stop.

    A database that is locked or full for a while is tried again at the next beat.
    """

    def __init__(self, db: Engine, task: Task) -> None:
        self.db, self.task = db, task
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

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
            if write_heartbeat(self.db, self.task.job, self.task.progress()) is not False:
                self.task.stop()
        except StoreError as error:
            self.task.log(f"no sign of life could be given: {error}")


def retry_write(write: Callable[[], object], tries: int = 30) -> None:
    """Write to a database that may be locked or full for a moment; StoreError where it stays so for `tries` seconds."""
    for left in reversed(range(tries)):
        try:
            write()
            return
        except StoreError:
            if not left:
                raise
            time.sleep(1)
