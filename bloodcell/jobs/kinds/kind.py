"""What a kind of job is: its spec, its words, and the work; one object per kind, listed in `kinds.table`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from bloodcell.core.spec import Spec
from bloodcell.jobs.store import NewJob
from bloodcell.jobs.task import Task

AnySpec = TypeVar("AnySpec", bound=Spec)


@dataclass(frozen=True)
class JobKind(Generic[AnySpec]):
    """A kind of job.

    Attributes
    ----------
    name : str
        As the database, the command line and job files call it.
    spec_type : type of Spec
        Its settings. Importing it loads no Keras.
    title : callable
        From the spec to what the list of jobs shows.
    result_name : callable
        From the spec to the name of the result.
    run : callable
        The work, done in the worker: from Task and spec to the name of the result's folder in the workspace's runs/,
        evaluations/ or explanations/. It imports what is heavy itself.
    gives : str, default "metrics"
        What the job produces, in a word for the list of jobs.
    last_step : str, default "Computing the metrics"
        What is done after the last epoch, for the progress bar.
    marker : str, default ""
        The setting by which a file with this spec is told from the others; "" where files are not recognised.
    is_training : bool, default False
        Whether the Train page lists it.
    is_short : bool, default False
        Whether it takes seconds or a few minutes while somebody waits: one of these runs beside the others.
    """

    name: str
    spec_type: type[AnySpec]
    title: Callable[[AnySpec], str]
    result_name: Callable[[AnySpec], str]
    run: Callable[[Task, AnySpec], str]
    gives: str = "metrics"
    last_step: str = "Computing the metrics"
    marker: str = ""
    is_training: bool = False
    is_short: bool = False

    def make_job(self, spec: AnySpec, data_dir: Path | str, who: str) -> NewJob:
        """Make the job that does what a spec says.

        Parameters
        ----------
        spec : Spec
            Of `spec_type`.
        data_dir : Path or str
            The folder that paths in the spec start from; "" where it names none.
        who : str
            Who asks for it.

        Returns
        -------
        NewJob
            To be queued by `JobQueue.submit`.
        """
        return NewJob(self.name, self.title(spec), self.result_name(spec), spec.to_dict(), str(data_dir), who)

    def check(self, settings: dict[str, Any]) -> None:
        """Raise SpecError unless `settings` are a spec of this kind; quick."""
        self.spec_type.from_dict(settings)

    def run_job(self, task: Task) -> str:
        """Do the job of `task` in this process and return the name of its result."""
        return self.run(task, self.spec_type.from_dict(task.job.spec))
