"""All models that were evaluated on the same images, side by side."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.evaluation.protocol import EnsembleMember, EvaluationProtocol
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import get_model


def group_by_images(evaluations: Sequence[EvaluationInfo]) -> dict[str, list[EvaluationInfo]]:
    """Group evaluations by their images (same images, labels and source cells) and keep the newest of each model.

    Parameters
    ----------
    evaluations : sequence of EvaluationInfo
        The newest first.

    Returns
    -------
    dict of str to list of EvaluationInfo
        By the name of the newest evaluation of a set of images; in the order given.
    """
    by_images: dict[str, dict[str, EvaluationInfo]] = {}
    for info in evaluations:
        by_images.setdefault(info.protocol.images_sha256, {}).setdefault(info.protocol.model, info)
    return {next(iter(by_model.values())).name: list(by_model.values()) for by_model in by_images.values()}


def build_leaderboard(evaluations: Sequence[EvaluationInfo], settings: Settings) -> pd.DataFrame:
    """Build a table with a row for each model, the best balanced accuracy first.

    Returns
    -------
    DataFrame
        evaluation, model; accuracy, accuracy_low, accuracy_high, balanced_accuracy, balanced_accuracy_low,
        balanced_accuracy_high, ece, flagged_for_review (shares); size_mb, parameters, training_s (of the model in the
        model library, NaN where it is gone, has changed, or does not say); ms_per_image (decoding, finding and
        classifying, as measured by the evaluation); leaking_images (that the model was trained on, NaN where that is
        not known).
    """
    rows = []
    for info in evaluations:
        metrics, protocol = info.report.metrics, info.protocol
        accuracy, balanced = metrics["accuracy"], metrics["balanced_accuracy"]
        low, high = accuracy.interval or (None, None)
        balanced_low, balanced_high = balanced.interval or (None, None)
        rows.append(
            {
                "evaluation": info.name,
                "model": protocol.model,
                "accuracy": accuracy.value,
                "accuracy_low": low,
                "accuracy_high": high,
                "balanced_accuracy": balanced.value,
                "balanced_accuracy_low": balanced_low,
                "balanced_accuracy_high": balanced_high,
                "ece": metrics["ece"].value,
                "flagged_for_review": metrics["flagged_for_review"].value,
                **_read_model_costs(protocol, settings),
                "ms_per_image": 1000 / protocol.images_per_s if protocol.images_per_s else None,
                "leaking_images": protocol.leak.n_leaking if protocol.leak.is_known else None,
            }
        )
    table = pd.DataFrame(rows)
    numbers = [name for name in table.columns if name not in ("evaluation", "model")]
    table[numbers] = table[numbers].astype(float)
    return table.sort_values("balanced_accuracy", ascending=False, ignore_index=True)


def _read_model_costs(evaluated: EvaluationProtocol | EnsembleMember, settings: Settings) -> dict[str, float | None]:
    """Read the costs of a model, or add up those of the members of an ensemble."""
    nothing: dict[str, float | None] = {"size_mb": None, "parameters": None, "training_s": None}
    if isinstance(evaluated, EvaluationProtocol) and evaluated.members:
        parts = [_read_model_costs(member, settings) for member in evaluated.members]
        return {name: _sum_if_complete([part[name] for part in parts]) for name in nothing}
    with suppress(ModelError):
        model = get_model(evaluated.model, settings)
        if model.sha256 == evaluated.model_sha256:
            metrics = _read_metrics(model.folder)
            size = ModelFolder(model.folder).network_file.stat().st_size / 1e6
            return {"size_mb": size, "parameters": metrics.get("parameters"), "training_s": metrics.get("seconds")}
    return nothing


def _sum_if_complete(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _read_metrics(folder: Path) -> dict[str, Any]:
    try:
        return ModelFolder(folder).read_metrics()
    except ModelError:
        return {}
