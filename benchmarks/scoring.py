"""The metrics of a model on labelled images, and where the measuring scripts keep them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.predict import predict_records
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ModelFolder
from bloodcell.training.output.model_card import write_model_card


def score_model(
    folder: Path, images: Contents, records: list[Record], groups: np.ndarray, metric_names: Collection[str] = ()
) -> dict[str, Any]:
    """Return the model's hash and its metrics, those of `metric_names` or all, by the same pipeline as the app."""
    engine = Engine(folder)
    metrics = summarise_metrics(predict_records(engine, images, records, groups))
    return {"model_sha256": engine.model_sha256} | {name: metrics[name] for name in metric_names or metrics}


def write_tests(folder: Path, tests: dict[str, dict[str, Any]]) -> None:
    """Put test metrics into a model's metrics.json and card."""
    model_folder = ModelFolder(folder)
    metrics = model_folder.read_metrics()
    metrics["tests"] = tests
    model_folder.write_metrics(metrics)
    write_model_card(folder, model_folder.read_description().document, metrics)
