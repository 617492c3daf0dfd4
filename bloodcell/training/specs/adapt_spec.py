"""How a model is continued on a few cells of another laboratory, and when the result takes its place."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from bloodcell.core.errors import DatasetError, SpecError
from bloodcell.core.settings import Settings
from bloodcell.core.spec import Spec, require
from bloodcell.datasets.catalog.groups_and_splits import read_stored_groups
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import BY_NAME, DATASET, STORED, SourceSpec, format_source_name
from bloodcell.datasets.sources.contents import Contents
from bloodcell.networks.settings import FROM_SCRATCH
from bloodcell.training.specs.choices import COSINE, EQUAL_PARTS, KEEP_MEAN
from bloodcell.training.specs.train_spec import TrainSpec

# A dataset made of decided cells names them, their images and their labels in this table (`review.cell_sets`).
CELLS_CSV = "cells.csv"
CELLS_NAME = "cells"

ADAPT_FILE = "adapt.json"
# How the reason begins for which an adapted model is refused by the rule.
REFUSAL_PREFIX = "The adapted model was not kept"
ACCEPTANCE_RULE = (
    "The adapted model is kept only if its balanced accuracy on the held-back cells is above that of the model before;"
    " if both are equal it is refused."
)


@dataclass(frozen=True)
class AdaptSpec(Spec):
    """A model to be continued.

    name : of the model that comes of it
    model : name on the shelf, or the path of a model folder
    cells : SourceSpec of the labelled cells; its path starts from the data folder
    title : "" for that of the model with "adapted"
    old_data : folder that the paths of the model's own sources start from, to learn from them too; "" for the new cells
        alone
    old_weight : with `old_data`, the share of the drawn crops that are old
    epochs, frozen_epochs : in the first `frozen_epochs` of the `epochs` only the head learns
    learning_rate, frozen_rate : of the second round, of all of the network, and of the first
    images_per_epoch, batch_size : as in TrainSpec
    held_share : share of the cells that is held back to compare before and after, closed over groups, of every class
    seed : of the drawing, and of which cells are held back
    """

    name: str
    model: str
    cells: SourceSpec
    title: str = ""
    old_data: str = ""
    old_weight: float = 0.5
    epochs: int = 16
    frozen_epochs: int = 6
    learning_rate: float = 5e-4
    frozen_rate: float = 2e-3
    images_per_epoch: int = 480
    batch_size: int = 32
    held_share: float = 0.3
    seed: int = 0

    NOUN: ClassVar[str] = "spec of an adaptation"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("old_weight", "held_share"):
            value = getattr(self, name)
            require(0 < value < 1, f"`{name}` must be between 0 and 1. Received: {value}.")
        require(
            0 < self.frozen_epochs < self.epochs,
            f"`frozen_epochs` must be above 0 and below `epochs`: the head is first."
            f" Received: {self.frozen_epochs} of {self.epochs}.",
        )
        require(not self.cells.limits, "`limits` are not for cells to adapt to: take those that shall be learned from.")
        require(bool(self.model) and bool(self.name), "A model to adapt and a name for the result are needed.")

    def train_spec(self, description: dict[str, Any]) -> TrainSpec:
        """The training run of an adaptation.

        Parameters
        ----------
        description : contents of the model's spec.json

        Raises
        ------
        SpecError
            If it does not say how the model was trained, or that cannot be continued.
        """
        was = self.read_previous_training(description)
        old: tuple[SourceSpec, ...] = ()
        if self.old_data:
            total = sum(source.weight for source in was.sources)
            old = tuple(
                _resolve_source(self.old_data, source, self.old_weight * source.weight / total)
                for source in was.sources
            )
        new_weight = 1 - self.old_weight if old else 1.0
        is_taken = self.cells.name in [source.name for source in old]
        new = replace(self.cells, name=f"{self.cells.name} (new)" if is_taken else self.cells.name, weight=new_weight)
        return replace(
            was,
            name=self.name,
            title=self.title or f"{was.title or was.name}, adapted",
            sources=(new, *old),
            weights=FROM_SCRATCH,
            epochs=self.epochs,
            frozen_epochs=self.frozen_epochs,
            frozen_rate=self.frozen_rate,
            learning_rate=self.learning_rate,
            images_per_epoch=self.images_per_epoch,
            batch_size=self.batch_size,
            class_sampling=EQUAL_PARTS,
            class_weights="none",
            optimizer="adamw",
            schedule=COSINE,
            keep=KEEP_MEAN,
            patience=0,
            mixed_precision=False,
            folds=max(was.folds, 2),
            fold=0,
            seed=self.seed,
        )

    def read_previous_training(self, description: dict[str, Any]) -> TrainSpec:
        """The training that the model came of; SpecError if its spec.json, `description`, does not say."""
        if not isinstance(description.get("training"), dict):
            raise SpecError(f"The model {self.model} does not say how it was trained, so it cannot be continued.")
        return TrainSpec.from_dict(description["training"])


def find_cells_source(path: Path) -> tuple[Path, SourceSpec]:
    """The data folder and source of labelled cells in a folder or zip.

    A folder with the table cells.csv (file, group, label), as a batch of decided cells gives it, is read by that;
    others by their folders, one a class, and copies of a cell are found from the pixels.

    Raises
    ------
    DatasetError
        If there is nothing at `path`.
    """
    path = path.resolve()
    if path.is_dir() and (path / CELLS_CSV).is_file():
        return path, SourceSpec(
            CELLS_NAME,
            ".",
            layout="csv",
            csv=CELLS_CSV,
            id_column="file",
            label_column="label",
            file_pattern="{id}",
            groups=CELLS_CSV,
        )
    with Contents(path) as contents:
        if not contents.files:
            raise DatasetError(f"There are no cells in {path}.")
    return path.parent, SourceSpec(CELLS_NAME, path.name)


def build_registered_source(dataset: Dataset, settings: Settings) -> SourceSpec:
    """The source of labelled cells that are registered in the workspace, with the best groups that are known.

    Those kept with the dataset come first; then, of decided cells of a batch, their images; else copies of a cell are
    found from the pixels.
    """
    known = read_stored_groups(dataset)
    groups = STORED if known is not None and known.is_current else find_reviewed_groups(dataset, settings) or "pixels"
    return SourceSpec(format_source_name(dataset.name), dataset.id, layout=DATASET, groups=groups)


def find_reviewed_groups(dataset: Dataset, settings: Settings) -> str:
    """The table that says which image each cell of a dataset comes from; "" where it was not made of decided cells."""
    return str(dataset.path / CELLS_CSV) if dataset.path.parent == settings.cells_dir else ""


def _resolve_source(folder: str, source: SourceSpec, weight: float) -> SourceSpec:
    """A source of the model with paths that do not depend on the data folder of the new cells."""
    if source.layout == DATASET:
        return replace(source, weight=weight)
    start = Path(folder).resolve()
    is_file = source.groups not in ("pixels", "each") and not source.groups.startswith(BY_NAME)
    groups = str(start / source.groups) if is_file else source.groups
    split = str(start / source.split) if source.split else ""
    return replace(source, path=str(start / source.path), groups=groups, split=split, weight=weight)
