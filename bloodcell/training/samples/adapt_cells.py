"""Which models can be adapted and to which labelled cells, checked before an image is read; no Keras."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.errors import DatasetError, ModelError, SpecError
from bloodcell.datasets.catalog.open_sources import open_source, resolve_source_cells
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.model_store.folder import KERAS_FILE
from bloodcell.model_store.io_spec import read_io_spec
from bloodcell.networks.registry import BY_STEPS, get_network
from bloodcell.training.samples.samples import build_io_spec
from bloodcell.training.specs.adapt_spec import AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec

MIN_CELLS = 20


@dataclass(frozen=True)
class CellCounts:
    """The labelled images of a source, counted by the classes of a model.

    Attributes
    ----------
    images : dict of str to int
        Class of the model, in its order -> images; 0 where there is none.
    source_cells : dict of str to int, or None
        The same, but copies of one cell count once; None where copies are only searched for when the run starts.
    ood_labels : dict of str to int
        Label that is no class of the model -> images.
    """

    images: dict[str, int]
    source_cells: dict[str, int] | None
    ood_labels: dict[str, int]


def build_continuation_spec(spec: AdaptSpec, model_dir: Path, description: dict[str, Any]) -> TrainSpec:
    """Build the training spec of an adaptation, for a model that can be adapted.

    Parameters
    ----------
    spec : AdaptSpec
        The adaptation.
    model_dir : Path
        Folder of the model.
    description : dict
        Contents of its spec.json.

    Returns
    -------
    TrainSpec

    Raises
    ------
    ModelError
        If the model lacks model.keras, or its spec.json contradicts itself.
    SpecError
        If the model does not say how it was trained, or is not trained in epochs.
    """
    train = spec.build_train_spec(description)
    if train.mask_model:
        train = replace(train, mask_model=str(model_dir.resolve()))  # the model's folder holds its U-Net
    if get_network(train.model).trained_by != BY_STEPS:
        raise SpecError(
            f"The network {train.model!r} of {spec.model} is not trained in epochs, so it cannot be adapted."
        )
    if replace(build_io_spec(train), outputs=()) != replace(read_io_spec(description, spec.model), outputs=()):
        raise ModelError(f"spec.json of the model {spec.model} contradicts its own training settings.")
    if not (model_dir / KERAS_FILE).is_file():
        raise ModelError(f"The model folder {model_dir.name} lacks {KERAS_FILE}, so it cannot be adapted.")
    return train


def count_cells(source: SourceSpec, data_dir: Path, class_names: Collection[str]) -> CellCounts:
    """Count the labelled images of a source by class; DatasetError if it or its groups cannot be read."""
    images, records = open_source(source, data_dir)
    with images:
        listed = [record for record in records if record.label in class_names]
        groups = None if source.groups == "pixels" else resolve_source_cells(source, data_dir, images, listed)
    labels = np.array([record.label for record in listed], dtype=str)
    return CellCounts(
        {name: int((labels == name).sum()) for name in class_names},
        None if groups is None else {name: len(np.unique(groups[labels == name])) for name in class_names},
        dict(sorted(Counter(record.label for record in records if record.label not in class_names).items())),
    )


def check_cells(spec: AdaptSpec, cells: CellCounts) -> None:
    """Raise DatasetError if a model cannot be adapted to these cells.

    That is the case if there are labels that are no class of the model, unless the spec's source skips them, too few
    cells, or a class without a cell. In some images no white cell may be found, so a run may still find too few.
    """
    if cells.ood_labels and spec.cells.unlisted != "skip":
        ood_labels = ", ".join(f"{label} ({n})" for label, n in cells.ood_labels.items())
        raise DatasetError(
            f"The cells have labels that are no class of {spec.model}: {ood_labels}. Its classes are"
            f" {', '.join(cells.images)}; leave the other cells out."
        )
    total = sum(cells.images.values())
    if total < MIN_CELLS:
        raise DatasetError(f"Adapting needs at least {MIN_CELLS} cells of the classes of {spec.model}. Found: {total}.")
    missing = [name for name, n in cells.images.items() if n == 0]
    if missing and not spec.old_data:
        raise DatasetError(explain_missing_classes(missing))


def explain_missing_classes(missing: Collection[str]) -> str:
    """Explain in one sentence why a model cannot be trained on cells that lack some of its classes.

    Examples
    --------
    >>> explain_missing_classes(["MONOCYTE"])  # doctest: +ELLIPSIS
    'There is no MONOCYTE among the cells to train on, so the model would forget the class: ...'
    """
    pronoun, noun = ("them", "classes") if len(missing) > 1 else ("it", "class")
    return (
        f"There is no {' and no '.join(missing)} among the cells to train on, so the model would forget the {noun}:"
        f" add cells of {pronoun}, or train on the original data too."
    )
