"""All models that were judged on the same pictures, side by side."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.library import EvaluationInfo
from bloodcell.model_store.folder import get_model


def group_by_images(evaluations: Sequence[EvaluationInfo]) -> dict[str, list[EvaluationInfo]]:
    """Evaluations by what was judged (same pictures, labels and source cells), the newest of each model alone.

    Parameters
    ----------
    evaluations : the newest first

    Returns
    -------
    dict, name of the newest evaluation of a set of pictures -> its evaluations; in the order given
    """
    by_images: dict[str, dict[str, EvaluationInfo]] = {}
    for one in evaluations:
        by_images.setdefault(one.protocol["images_sha256"], {}).setdefault(one.protocol["model"], one)
    return {next(iter(some.values())).name: list(some.values()) for some in by_images.values()}


def build_leaderboard(evaluations: Sequence[EvaluationInfo], settings: Settings) -> pd.DataFrame:
    """A row a model, the best balanced accuracy first.

    Returns
    -------
    DataFrame with the columns evaluation, model; accuracy, accuracy_low, accuracy_high, balanced_accuracy,
    balanced_low, balanced_high, ece, held_back (shares); size_mb, parameters, training_s (of the model on the shelf, NaN
    where it is gone, has changed, or does not say); ms (a picture, as measured when it was judged: decoding, finding,
    classifying); leaking (pictures that it has learned from, NaN where that is not known)
    """
    rows = []
    for one in evaluations:
        metrics_by_name = one.report["figures"]
        leak = LeakSummary.from_json(one.protocol["leak"])
        low, high = metrics_by_name["accuracy"]["interval"] or (None, None)
        balanced_low, balanced_high = metrics_by_name["balanced_accuracy"]["interval"] or (None, None)
        rows.append(
            {
                "evaluation": one.name,
                "model": one.protocol["model"],
                "accuracy": metrics_by_name["accuracy"]["value"],
                "accuracy_low": low,
                "accuracy_high": high,
                "balanced_accuracy": metrics_by_name["balanced_accuracy"]["value"],
                "balanced_low": balanced_low,
                "balanced_high": balanced_high,
                "ece": metrics_by_name["ece"]["value"],
                "held_back": metrics_by_name["held_back"]["value"],
                **_read_model_costs(one.protocol, settings),
                "ms": 1000 / one.protocol["images_per_s"] if one.protocol.get("images_per_s") else None,
                "leaking": leak.leaking if leak.is_known else None,
            }
        )
    table = pd.DataFrame(rows)
    numbers = [name for name in table.columns if name not in ("evaluation", "model")]
    table[numbers] = table[numbers].astype(float)
    return table.sort_values("balanced_accuracy", ascending=False, ignore_index=True)


def _read_model_costs(protocol: dict[str, Any], settings: Settings) -> dict[str, float | None]:
    nothing: dict[str, float | None] = {"size_mb": None, "parameters": None, "training_s": None}
    if protocol.get("members"):
        parts = [_read_model_costs(member, settings) for member in protocol["members"]]
        return {name: _sum_if_complete([part[name] for part in parts]) for name in nothing}
    with suppress(ModelError):
        model = get_model(protocol["model"], settings)
        if model.sha256 == protocol["model_sha256"]:
            metrics = _read_metrics(model.folder)
            size = (model.folder / "model.onnx").stat().st_size / 1e6
            return {"size_mb": size, "parameters": metrics.get("parameters"), "training_s": metrics.get("seconds")}
    return nothing


def _sum_if_complete(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _read_metrics(folder: Path) -> dict[str, Any]:
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}
