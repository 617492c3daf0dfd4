"""The kind of job "explain": looks into a network in a worker, since the app loads no Keras; maps in a folder out."""

from bloodcell.core.errors import ModelError, StoppedError
from bloodcell.core.installation import require_training
from bloodcell.explain.spec import ExplainSpec, needs_keras
from bloodcell.jobs.kinds.kind import JobKind
from bloodcell.jobs.task import Task


def run(task: Task, spec: ExplainSpec) -> str:
    """Explain the crops that were stored for the job and return the name of the explanation's folder."""
    from bloodcell.explain.explain_cells import explain_crops
    from bloodcell.explain.explanation import read_crops
    from bloodcell.inference.engine import Engine
    from bloodcell.model_store.library import get_model

    model = get_model(spec.model, task.settings)
    if model.sha256 != spec.model_sha256:
        raise ModelError(f"The model {spec.model} has changed since the explanation was asked for.")
    folder = task.settings.explanations_dir / spec.key
    crops = read_crops(folder, spec.crops_sha256)

    def on_progress(done: int, total: int) -> None:
        if task.should_stop():
            raise StoppedError("The job was stopped; nothing was kept.")
        task.report(done=done, total=total)

    if needs_keras(spec.methods):
        require_training("Looking into a network")
        task.log("Loading the training library ...")
    engine = Engine(model.folder)
    explanation = explain_crops(engine, model.folder, crops, spec.methods, spec.layer, spec.of_class, on_progress)
    explanation.save(folder)
    return spec.key


EXPLAIN = JobKind(
    name="explain",
    spec_type=ExplainSpec,
    title=lambda spec: f"{f'Mean of {spec.of_class}' if spec.of_class else 'One cell'}: where {spec.model} looks",
    result_name=lambda spec: spec.key,
    run=run,
    gives="explanation",
    is_short=True,
)
