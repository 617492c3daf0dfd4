"""What a runner of jobs does, and the written-out table of those there are."""

import importlib
from typing import Protocol

from bloodcell.core.errors import JobError
from bloodcell.core.settings import Settings
from bloodcell.jobs.store import Job

RUNNERS = {"local": "bloodcell.jobs.runners.local:LocalRunner", "ray": "bloodcell.jobs.runners.ray_cluster:RayRunner"}


class Runner(Protocol):
    """Starts, stops and watches the processes of jobs; made by `make_runner` with the settings."""

    def start(self, job: Job) -> tuple[str, int, float] | None:
        """Start the worker of a claimed job; return host, pid and creation time, or None where only the worker knows.

        Raises
        ------
        JobError
            If it cannot be started.
        """

    def stop(self, job: Job) -> None:
        """Make sure that the processes of a job that was cancelled are gone soon; return at once."""

    def is_gone(self, job: Job) -> bool:
        """Return whether the process of a running job has ended, or can never have started."""

    def read_log(self, job: Job, start: int = 0) -> tuple[str, int]:
        """Read what a job has written from place `start` on, and the place to go on from; see `files.read_log`.

        Raises
        ------
        JobError
            If the log lies on a cluster that does not answer.
        """


def make_runner(settings: Settings) -> Runner:
    """Make the runner that BLOODCELL_RUNNER names; JobError if there is none of that name."""
    if settings.runner not in RUNNERS:
        raise JobError(f"BLOODCELL_RUNNER must be one of {list(RUNNERS)}. Received: {settings.runner!r}.")
    module, name = RUNNERS[settings.runner].split(":")
    runner: Runner = getattr(importlib.import_module(module), name)(settings)
    return runner
