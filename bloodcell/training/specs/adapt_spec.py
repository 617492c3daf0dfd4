"""How a model is adapted to a few cells of another laboratory, and when the result takes its place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from bloodcell.core.errors import DatasetError, SpecError
from bloodcell.core.settings import Settings
from bloodcell.core.spec import Spec, require
from bloodcell.datasets.boxes.cut_cells import CELLS_CSV
from bloodcell.datasets.catalog.groups_and_splits import read_stored_groups
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import BY_NAME, DATASET, STORED, SourceSpec, format_source_name
from bloodcell.datasets.sources.contents import Contents
from bloodcell.networks.settings import FROM_SCRATCH
from bloodcell.training.specs.choices import COSINE, EQUAL_PARTS, KEEP_MEAN
from bloodcell.training.specs.train_spec import TrainSpec

CELLS_NAME = "cells"

# How the reason starts when an adapted model is refused by the rule.
REFUSAL_PREFIX = "The adapted model was not kept"
ACCEPTANCE_RULE = (
    "The adapted model is kept only if its balanced accuracy on the held-out cells is higher than that of the original"
    " model; if both are equal, it is refused."
)


@dataclass(frozen=True)
class AdaptSpec(Spec):
    """A model to adapt, the labelled cells to adapt it to, and how.

    Attributes
    ----------
    name : str
        Name of the adapted model.
    model : str
        Name in the model library, or the path of a model folder.
    cells : SourceSpec
        The labelled cells; the path starts from the data folder.
    title : str, default ""
        Title of the adapted model; "" for that of the original model with "adapted".
    old_data : str, default ""
        Folder that the paths of the model's own sources start from, to train on them too; "" for the new cells alone.
    old_weight : float, default 0.5
        With `old_data`, the share of the drawn crops that come from it.
    epochs : int, default 16
        Epochs of both phases together.
    frozen_epochs : int, default 6
        Epochs of the first phase, in which only the head is trained.
    learning_rate : float, default 5e-4
        Learning rate of the second phase, in which the whole network is trained.
    frozen_rate : float, default 2e-3
        Learning rate of the first phase.
    images_per_epoch : int, default 480
        Crops drawn per epoch.
    batch_size : int, default 32
        Crops per batch.
    held_share : float, default 0.3
        Share of the cells that is held out, in every class, to compare the models before and after; source cells stay
        together.
    seed : int, default 0
        Seed of the batches, and of which cells are held out.

    Raises
    ------
    SpecError
        If a share is not between 0 and 1, if a phase has no epoch, or if the cells have limits.
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
            "`frozen_epochs` must be above 0 and below `epochs`: the head is trained first."
            f" Received: {self.frozen_epochs} of {self.epochs}.",
        )
        require(not self.cells.limits, "`limits` cannot be set on cells to adapt to: choose the cells themselves.")
        require(bool(self.model) and bool(self.name), "An adaptation needs a model, and a name for the adapted one.")

    def build_train_spec(self, description: Mapping[str, Any]) -> TrainSpec:
        """Build the training spec of the adaptation: the model's own, with the settings and cells of this spec.

        Parameters
        ----------
        description : mapping
            Contents of the model's spec.json.

        Returns
        -------
        TrainSpec
            Its first source is the new cells.

        Raises
        ------
        SpecError
            If `description` does not say how the model was trained, or these settings break a rule.
        """
        previous = self.read_previous_training(description)
        old: tuple[SourceSpec, ...] = ()
        if self.old_data:
            total = sum(source.weight for source in previous.sources)
            old = tuple(
                _resolve_source(self.old_data, source, self.old_weight * source.weight / total)
                for source in previous.sources
            )
        new_weight = 1 - self.old_weight if old else 1.0
        is_taken = self.cells.name in [source.name for source in old]
        new = replace(self.cells, name=f"{self.cells.name} (new)" if is_taken else self.cells.name, weight=new_weight)
        return replace(
            previous,
            name=self.name,
            title=self.title or f"{previous.title or previous.name}, adapted",
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
            folds=max(previous.folds, 2),
            fold=0,
            seed=self.seed,
        )

    def read_previous_training(self, description: Mapping[str, Any]) -> TrainSpec:
        """Read how the model was trained from its spec.json, `description`; SpecError if that does not say."""
        if not isinstance(description.get("training"), dict):
            raise SpecError(f"The model {self.model} does not say how it was trained, so it cannot be adapted.")
        return TrainSpec.from_dict(description["training"])


def find_cells_source(path: Path) -> tuple[Path, SourceSpec]:
    """Find the labelled cells in a folder or zip.

    A folder with the table cells.csv (file, group, label), as exported from a batch of reviewed cells, is read by that
    table. Anything else is read as one folder per class, and copies of a cell are found from the pixels.

    Parameters
    ----------
    path : Path
        Folder or zip file.

    Returns
    -------
    data_dir : Path
        Folder that the source's path starts from.
    source : SourceSpec
        The labelled cells.

    Raises
    ------
    DatasetError
        If there is no file at `path`.
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
    """Build the source of a dataset in the dataset library, with the best source cells that are known.

    The groups stored with the dataset come first; then, for cells that were cut out here, the images they come from;
    otherwise copies of a cell are found from the pixels.

    Parameters
    ----------
    dataset : Dataset
        Labelled cells in the dataset library.
    settings : Settings
        Where the workspace is.

    Returns
    -------
    SourceSpec
        The source, in the layout "dataset".
    """
    stored = read_stored_groups(dataset)
    groups = STORED if stored is not None and stored.is_current else find_reviewed_groups(dataset, settings) or "pixels"
    return SourceSpec(format_source_name(dataset.name), dataset.id, layout=DATASET, groups=groups)


def find_reviewed_groups(dataset: Dataset, settings: Settings) -> str:
    """Return the path of the table of source images of cells that were cut out here; "" for another dataset."""
    return str(dataset.path / CELLS_CSV) if dataset.path.parent == settings.cells_dir else ""


def _resolve_source(folder: str, source: SourceSpec, weight: float) -> SourceSpec:
    """Make the paths of one of the model's own sources independent of the data folder of the new cells."""
    if source.layout == DATASET:
        return replace(source, weight=weight)
    start = Path(folder).resolve()
    is_file = source.groups not in ("pixels", "each") and not source.groups.startswith(BY_NAME)
    groups = str(start / source.groups) if is_file else source.groups
    split = str(start / source.split) if source.split else ""
    return replace(source, path=str(start / source.path), groups=groups, split=split, weight=weight)
