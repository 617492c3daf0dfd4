"""The kind of job "adapt": a model and a few labelled cells in, a model for that laboratory out if it is better."""

from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task, TaskProgress
from bloodcell.model_store.library import find_model
from bloodcell.training.specs.adapt_spec import AdaptSpec


def run(task: Task, spec: AdaptSpec) -> str:
    """Adapt the model and return the new one's name; RunError if it is not better (adapt.json is in the job's folder)."""
    data_dir = task.start_training("Adapting a model")
    model = find_model(spec.model, task.settings)
    from bloodcell.experiments.adapt import MODEL_DIR, run_adapt

    run_adapt(task.folder, spec, model.folder, data_dir, task.cache_dir, TaskProgress(task))
    return task.publish_result(MODEL_DIR)


ADAPT = JobKind(
    name="adapt",
    spec_type=AdaptSpec,
    title=lambda spec: f"Adapt {spec.model}: {spec.title or spec.name}",
    result_name=lambda spec: spec.name,
    run=run,
    gives="model",
    last_step="Setting the thresholds, writing and checking the model",
    marker="cells",
    is_training=True,
)
