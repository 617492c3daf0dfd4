"""The figures of a model on labelled images, as the measuring scripts keep them."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.metrics.summary import figures
from bloodcell.evaluation.predict import evaluate
from bloodcell.inference.engine import Engine


def score(
    folder: Path, images: Contents, records: list[Record], groups: np.ndarray, kept: Collection[str] = ()
) -> dict:
    """The model's fingerprint and its figures, those of `kept` or all, by the same pipeline as the app."""
    engine = Engine(folder)
    found = figures(evaluate(engine, images, records, groups))
    return {"model_sha256": engine.model_sha256} | {name: found[name] for name in kept or found}
