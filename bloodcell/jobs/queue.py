"""Queue, start, cancel, resume, retry and delete jobs. Every process may, at any time."""

import re
from typing import Any

from sqlalchemy import Engine

from bloodcell.core.errors import JobError, StoreError
from bloodcell.core.settings import Settings, load_settings
from bloodcell.db.database import open_database
from bloodcell.jobs import store
from bloodcell.jobs.files import make_job_dir, remove_checkpoint, remove_job_dir
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.kinds.table import KINDS, find_kind
from bloodcell.jobs.runners.table import Runner, make_runner
from bloodcell.jobs.store import CANCELLED, FAILED, INTERRUPTED, QUEUED, RUNNING, UNFINISHED, Job, NewJob

_NAME = re.compile(r"\w[\w.-]{0,79}")


class JobQueue:
    """The jobs of one workspace.

    Parameters
    ----------
    db : Engine
        Of `db.database.open_database`.
    settings : Settings
    runner : Runner, optional
        By default the one that the settings name.
    kinds : tuple of JobKind, default `KINDS`
    """

    def __init__(
        self, db: Engine, settings: Settings, runner: Runner | None = None, kinds: tuple[JobKind[Any], ...] = KINDS
    ) -> None:
        self.db, self.settings, self.kinds = db, settings, kinds
        self.runner = runner or make_runner(settings)

    def submit(self, new: NewJob) -> Job:
        """Check and queue a job, and start it if there is room.

        Returns
        -------
        Job
            As it stands then: queued, running, or failed where it could not be started.

        Raises
        ------
        JobError
            If its kind or name is not allowed.
        SpecError
            If its settings break a rule.
        StoreError
            If the workspace cannot be written to.
        """
        find_kind(new.kind, self.kinds).check(new.spec)
        check_result_name(new.name)
        job_id = store.add_job(self.db, new)
        try:
            make_job_dir(self.settings, job_id, new.spec)
        except StoreError:
            store.remove_job(self.db, job_id)
            raise
        self.dispatch()
        return store.get_job(self.db, job_id)

    def dispatch(self) -> None:
        """Mark jobs whose worker has died, and start what can be started; quick where there is nothing to do."""
        self._mark_interrupted()
        short_kinds = [kind.name for kind in self.kinds if kind.is_short]
        while job_to_start := store.claim_next(self.db, self.settings.jobs_at_once, short_kinds):
            try:
                process = self.runner.start(job_to_start)
            except JobError as error:
                store.end_attempt(self.db, job_to_start, FAILED, error=str(error))
                continue
            if process is not None:
                store.register_process(self.db, job_to_start, *process)

    def cancel(self, job_id: int) -> None:
        """Take a job out of the queue, or stop it at the next batch: its processes are gone within five seconds.

        The finished epochs are kept.
        """
        job = self._get(job_id, (QUEUED, RUNNING), "cancelled")
        store.request_cancel(self.db, job.id)
        if (job := store.get_job(self.db, job_id)).status == RUNNING:
            self.runner.stop(job)

    def resume(self, job_id: int) -> Job:
        """Queue an unfinished job again, to go on after its last finished epoch."""
        self._get(job_id, UNFINISHED, "resumed")
        return self._requeue(job_id)

    def retry(self, job_id: int) -> Job:
        """Queue an unfinished job again, to start from the beginning."""
        self._get(job_id, UNFINISHED, "tried again")
        remove_checkpoint(self.settings, job_id)
        return self._requeue(job_id)

    def delete(self, job_id: int) -> None:
        """Delete a job that is not running, with its log and checkpoint; a model that it produced stays."""
        while not store.remove_job(self.db, job_id):  # again if it was started meanwhile; then `_get` raises
            self._get(job_id, (QUEUED, store.DONE, *UNFINISHED), "deleted")
        remove_job_dir(self.settings, job_id)

    def _mark_interrupted(self) -> None:
        for job in store.list_jobs(self.db, (RUNNING,)):
            if self.runner.is_gone(job):
                store.end_attempt(self.db, job, CANCELLED if job.cancel_asked else INTERRUPTED)

    def _requeue(self, job_id: int) -> Job:
        store.requeue_job(self.db, job_id)
        self.dispatch()
        return store.get_job(self.db, job_id)

    def _get(self, job_id: int, statuses: tuple[str, ...], done: str) -> Job:
        self._mark_interrupted()
        job = store.get_job(self.db, job_id)
        if job.status not in statuses:
            raise JobError(f"Only a job that is {' or '.join(statuses)} can be {done}. Job {job_id} is {job.status}.")
        return job


def check_result_name(name: str) -> None:
    """Raise JobError unless a result can have this name."""
    if not _NAME.fullmatch(name):
        raise JobError(
            "The name of a result must start with a letter or digit and contain only letters, digits, '.', '_' and '-'"
            f" (at most 80 characters). Received: {name!r}."
        )


def open_queue() -> JobQueue:
    """Open the queue of the workspace that the environment names."""
    settings = load_settings()
    return JobQueue(open_database(settings.db_url), settings)
