"""Jobs as rows of the database: what each is, what its status is, and who may change that."""

import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any, TypedDict

from sqlalchemy import Engine, Select, delete, insert, select, update

from bloodcell.core.errors import JobError
from bloodcell.db.database import begin_read, begin_write, take_lock
from bloodcell.db.schema import jobs

QUEUED, RUNNING, DONE = "queued", "running", "done"
FAILED, CANCELLED, INTERRUPTED = "failed", "cancelled", "interrupted"
# Ended without a result: can resume after the last finished epoch, or start again.
UNFINISHED = (FAILED, CANCELLED, INTERRUPTED)
CLAIM_LOCK_KEY = 0x6A6F6273  # any number, the same in every process ("jobs")


@dataclass(frozen=True)
class NewJob:
    """A job to be queued.

    Attributes
    ----------
    kind : str
        The name of a kind in `kinds.table.KINDS`.
    title : str
        What lists of jobs show.
    name : str
        What its result shall be called; a number is added where that is taken.
    spec : dict
        Settings of the kind; for "train" a TrainSpec as JSON has it.
    data_dir : str
        The folder that paths in the spec start from; "" where it names none.
    who : str
        Who asked for it.
    """

    kind: str
    title: str
    name: str
    spec: dict[str, Any]
    data_dir: str
    who: str


class JobProgress(TypedDict, total=False):
    """What a running job last reported, as JSON has it; empty before.

    Attributes
    ----------
    phase : str
        "reading", "learning" or "loading" (`task.READING`, `task.TRAINING`, `task.LOADING`).
    source, done, total
        What is read or computed, and how much of it.
    step : str
        What is done in the phase "loading".
    fit, fits, epoch, epochs, batch, batches, images, loss, accuracy, images_per_s, seconds_left
        As in `core.progress.Progress`, in the phase "learning".
    last_epoch : dict
        The row of history.csv of the last finished epoch.
    memory_mb : int
        Of the process.
    """

    phase: str
    source: str
    done: int
    total: int
    step: str
    fit: int
    fits: int
    epoch: int
    epochs: int
    batch: int
    batches: int
    images: int
    loss: float
    accuracy: float
    images_per_s: float
    seconds_left: float
    last_epoch: dict[str, Any]
    memory_mb: int


@dataclass(frozen=True)
class Job(NewJob):
    """A job as it stands. Times are seconds since 1970, None for what has not happened.

    Attributes
    ----------
    status : str
        `QUEUED`, `RUNNING`, `DONE`, `FAILED`, `CANCELLED` or `INTERRUPTED`.
    attempt : int
        How often it was started.
    host, pid, pid_created
        The process that works on it, or worked on it last.
    heartbeat_at : float or None
        The last sign of life of that process.
    progress : JobProgress
    cancel_asked : int
        1 once its user wants it to stop.
    error : str
        Why it failed, in one sentence.
    result : str
        The name of its folder in the workspace's runs/, evaluations/ or explanations/; "" until it is done.
    """

    id: int
    status: str
    attempt: int
    created_at: float
    queued_at: float
    started_at: float | None
    ended_at: float | None
    host: str | None
    pid: int | None
    pid_created: float | None
    heartbeat_at: float | None
    progress: JobProgress
    cancel_asked: int
    error: str
    result: str

    @property
    def is_over(self) -> bool:
        """Whether it is neither queued nor running."""
        return self.status not in (QUEUED, RUNNING)


_COLUMNS = [jobs.c[field.name] for field in fields(Job)]


def add_job(db: Engine, new: NewJob) -> int:
    """Queue a job and return its id."""
    now = time.time()
    row = asdict(new) | {
        "status": QUEUED,
        "attempt": 0,
        "created_at": now,
        "queued_at": now,
        "progress": {},
        "cancel_asked": 0,
        "error": "",
        "result": "",
    }
    with begin_write(db) as connection:
        job_id: int = connection.execute(insert(jobs).values(row).returning(jobs.c.id)).scalar_one()
    return job_id


def get_job(db: Engine, job_id: int) -> Job:
    """Return one job; JobError if there is none of that number."""
    with begin_read(db) as connection:
        row = connection.execute(select(*_COLUMNS).where(jobs.c.id == job_id)).mappings().first()
    if row is None:
        raise JobError(f"There is no job {job_id}.")
    return Job(**row)


def list_jobs(db: Engine, statuses: tuple[str, ...] = ()) -> list[Job]:
    """List all jobs, or those of some statuses, the newest first."""
    query = select(*_COLUMNS).order_by(jobs.c.id.desc())
    if statuses:
        query = query.where(jobs.c.status.in_(statuses))
    with begin_read(db) as connection:
        return [Job(**row) for row in connection.execute(query).mappings()]


def claim_next(db: Engine, max_running: int, short_kinds: Collection[str] = ()) -> Job | None:
    """Make the job that has waited longest a running one; no two processes get the same.

    Parameters
    ----------
    db : Engine
    max_running : int
        No job is claimed while this many run.
    short_kinds : collection of str, default ()
        Of these kinds one job at a time runs beside the others and is not counted, as somebody waits for it.

    Returns
    -------
    Job or None
        The claimed job, which the caller must start; its process is not known yet. None if there is nothing to start.
    """
    with begin_read(db) as connection:
        if connection.scalar(_next_queued()) is None:
            return None
    with begin_write(db) as connection:
        take_lock(connection, CLAIM_LOCK_KEY)
        running_kinds = connection.scalars(select(jobs.c.kind).where(jobs.c.status == RUNNING))
        are_short = [kind in short_kinds for kind in running_kinds]
        waiting = _next_queued()
        if are_short.count(False) >= max_running:
            waiting = waiting.where(jobs.c.kind.in_(short_kinds))
        if any(are_short):
            waiting = waiting.where(jobs.c.kind.not_in(short_kinds))
        # Locked, so that nobody cancels or deletes it before it is a running one; those being cancelled are passed over.
        job_id = connection.scalar(waiting.with_for_update(skip_locked=True))
        if job_id is None:
            return None
        changes: dict[str, Any] = {
            "status": RUNNING,
            "attempt": jobs.c.attempt + 1,
            "started_at": time.time(),
            "cancel_asked": 0,
            "error": "",
            "progress": {},
        }
        changes |= dict.fromkeys(("ended_at", "host", "pid", "pid_created", "heartbeat_at"))
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(changes))
    return get_job(db, job_id)


def register_process(db: Engine, job: Job, host: str, pid: int, pid_created: float) -> bool:
    """Note the process of a claimed job: both the runner that started it and the process itself call this.

    Returns
    -------
    bool
        False if another process has the job, or this attempt is over.
    """
    changes = {"host": host, "pid": pid, "pid_created": pid_created, "heartbeat_at": time.time()}
    is_free = jobs.c.pid.is_(None) | (jobs.c.pid == pid)
    with begin_write(db) as connection:
        return connection.execute(update(jobs).where(_match_attempt(job), is_free).values(changes)).rowcount == 1


def write_heartbeat(db: Engine, job: Job, progress: JobProgress) -> bool | None:
    """Write that the job is alive, and its progress.

    Returns
    -------
    bool or None
        Whether the job shall stop; None if it is no longer this attempt's.
    """
    with begin_write(db) as connection:
        changes = {"heartbeat_at": time.time(), "progress": dict(progress)}
        if connection.execute(update(jobs).where(_match_attempt(job)).values(changes)).rowcount == 0:
            return None
        return bool(connection.scalar(select(jobs.c.cancel_asked).where(jobs.c.id == job.id)))


def end_attempt(db: Engine, job: Job, status: str, error: str = "", result: str = "") -> bool:
    """Write how an attempt ended; return False if it was no longer running."""
    changes = {"status": status, "error": error, "result": result, "ended_at": time.time()}
    with begin_write(db) as connection:
        return connection.execute(update(jobs).where(_match_attempt(job)).values(changes)).rowcount == 1


def request_cancel(db: Engine, job_id: int) -> None:
    """Take a job out of the queue, or ask its process to stop; one that is over stays as it is."""
    is_job = jobs.c.id == job_id
    with begin_write(db) as connection:
        waiting = update(jobs).where(is_job, jobs.c.status == QUEUED)
        connection.execute(waiting.values(status=CANCELLED, ended_at=time.time()))
        connection.execute(update(jobs).where(is_job, jobs.c.status == RUNNING).values(cancel_asked=1))


def requeue_job(db: Engine, job_id: int) -> bool:
    """Put an unfinished job at the end of the queue; return False if it is not one."""
    row = update(jobs).where(jobs.c.id == job_id, jobs.c.status.in_(UNFINISHED))
    with begin_write(db) as connection:
        changed = connection.execute(row.values(status=QUEUED, queued_at=time.time(), cancel_asked=0, error=""))
        return changed.rowcount == 1


def remove_job(db: Engine, job_id: int) -> bool:
    """Delete the row of a job; return False if it is running or does not exist."""
    with begin_write(db) as connection:
        return connection.execute(delete(jobs).where(jobs.c.id == job_id, jobs.c.status != RUNNING)).rowcount == 1


def _next_queued() -> Select[int]:
    return select(jobs.c.id).where(jobs.c.status == QUEUED).order_by(jobs.c.queued_at, jobs.c.id).limit(1)


def _match_attempt(job: Job) -> Any:
    """Match this attempt of the job while it runs: a worker that was given up must not write into the next attempt."""
    return (jobs.c.id == job.id) & (jobs.c.attempt == job.attempt) & (jobs.c.status == RUNNING)
