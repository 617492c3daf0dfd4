"""The kind of job "search": a search for better settings; a folder with the best spec out."""

from bloodcell.core.text import inflect_noun
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.search_spec import SearchSpec


def run(task: Task, spec: SearchSpec) -> str:
    """Search and return the name of the folder with the best spec."""
    data_dir = task.start_training()
    from bloodcell.experiments.search import run_search

    run_search(task.folder, spec, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(RESULT_DIR)


SEARCH = JobKind(
    name="search",
    spec_type=SearchSpec,
    title=lambda spec: (
        f"Search, {spec.trials} {inflect_noun(spec.trials, 'trial')}: {spec.base.title or spec.base.name}"
    ),
    result_name=lambda spec: f"{spec.name}-search",  # the model of the best settings takes the search's own name
    run=run,
    marker="space",
    is_training=True,
)
