"""Which models can be continued and on which labelled cells, told before a picture is read; no Keras."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.errors import DatasetError, ModelError, SpecError
from bloodcell.datasets.catalog.open_sources import open_source, resolve_source_cells
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.model_store.io_spec import read_io_spec
from bloodcell.networks.registry import BY_STEPS, get_network
from bloodcell.training.samples.samples import build_io_spec
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec

MIN_CELLS = 20


@dataclass(frozen=True)
class CellCounts:
    """The labelled pictures of a source as a model would learn them.

    pictures : class of the model, in its order -> pictures, also where there is none
    source_cells : the same, but copies of one cell count once; None where copies are looked for when the run begins
    foreign : label that the model does not know -> pictures
    """

    images: dict[str, int]
    source_cells: dict[str, int] | None
    ood_labels: dict[str, int]


def build_continuation_spec(spec: AdaptSpec, model_dir: Path, description: dict[str, Any]) -> TrainSpec:
    """The training run of an adaptation, for a model that can be continued.

    Parameters
    ----------
    model_dir, description : folder of the model, and contents of its spec.json

    Raises
    ------
    ModelError, SpecError
        If the model does not say how it was trained, is not taught by steps, or lacks model.keras.
    """
    train = spec.build_train_spec(description)
    if train.mask_model:
        train = replace(train, mask_model=str(model_dir.resolve()))  # the model brings its U-Net along
    if get_network(train.model).trained_by != BY_STEPS:
        raise SpecError(
            f"The network {train.model!r} of {spec.model} is not taught by steps, so it cannot be continued."
        )
    if replace(build_io_spec(train), outputs=()) != replace(read_io_spec(description, spec.model), outputs=()):
        raise ModelError(f"spec.json of the model {spec.model} contradicts its own training settings.")
    if not (model_dir / "model.keras").is_file():
        raise ModelError(f"The model folder {model_dir.name} lacks model.keras, so it cannot be continued.")
    return train


def count_cells(source: SourceSpec, data_dir: Path, class_names: Collection[str]) -> CellCounts:
    """Count the labelled pictures of a source; DatasetError if it or its groups cannot be read."""
    images, records = open_source(source, data_dir)
    with images:
        known = [record for record in records if record.label in class_names]
        groups = None if source.groups == "pixels" else resolve_source_cells(source, data_dir, images, known)
    labels = np.array([record.label for record in known], dtype=str)
    return CellCounts(
        {name: int((labels == name).sum()) for name in class_names},
        None if groups is None else {name: len(np.unique(groups[labels == name])) for name in class_names},
        dict(sorted(Counter(record.label for record in records if record.label not in class_names).items())),
    )


def check_cells(spec: AdaptSpec, cells: CellCounts) -> None:
    """Raise DatasetError if the cells cannot do: labels that the model does not know, too few, or a class is lacking.

    Foreign labels are no error where the spec's source skips them. In some pictures no white cell may be found, so a
    run may still find too few.
    """
    if cells.ood_labels and spec.cells.unlisted != "skip":
        ood_labels = ", ".join(f"{label} ({n})" for label, n in cells.ood_labels.items())
        raise DatasetError(
            f"The cells have labels that {spec.model} does not know: {ood_labels}. It knows"
            f" {', '.join(cells.images)}; leave the others out."
        )
    total = sum(cells.images.values())
    if total < MIN_CELLS:
        raise DatasetError(
            f"Adapting needs {MIN_CELLS} cells or more of the classes that {spec.model} knows. There are {total}."
        )
    lacking = [name for name, n in cells.images.items() if n == 0]
    if lacking and not spec.old_data:
        raise DatasetError(explain_missing_classes(lacking))


def explain_missing_classes(lacking: Collection[str]) -> str:
    """Why a model cannot learn from cells that lack some of its classes, in one sentence."""
    return (
        f"There is no {' and no '.join(lacking)} among the cells to learn from, and the model would forget what it is:"
        " add some, or learn from the old data too."
    )
