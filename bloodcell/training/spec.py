"""Everything that one training run depends on, kept as spec.json in its run folder."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bloodcell.classes import WHITE_CELLS_4
from bloodcell.errors import SpecError

LAYOUTS = ("folders", "csv")
UNLISTED = ("unknown", "skip")


@dataclass(frozen=True)
class SourceSpec:
    """One labelled dataset, below the folder given as --data.

    name : short name for logs and cards
    path : folder or zip, relative to the data folder
    layout : "folders" (the folder's name is the label) or "csv" (a table lists the labels)
    csv, id_column, label_column : the table inside `path` and its columns, for the layout "csv"
    file_pattern : file of a row, as in "images/{id:0>3}.bmp", for the layout "csv"
    labels : label in the data -> class name; labels not named are taken as they are, in capitals
    unlisted : what becomes of labels outside the model's classes: "unknown" teaches the model to say so, "skip"
    groups : file of source cells (columns file, group) relative to the data folder; "pixels" finds copies from
        the pixels; "each" where every image is a cell of its own
    weight : share of the drawn training images, relative to the other sources
    """

    name: str
    path: str
    layout: str = "folders"
    csv: str = ""
    id_column: str = ""
    label_column: str = ""
    file_pattern: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    unlisted: str = "unknown"
    groups: str = "pixels"
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check(self.layout in LAYOUTS, f"`layout` must be one of {LAYOUTS}. Received: {self.layout!r}.")
        _check(self.unlisted in UNLISTED, f"`unlisted` must be one of {UNLISTED}. Received: {self.unlisted!r}.")
        _check(self.weight > 0, f"`weight` must be above 0. Received: {self.weight}.")
        if self.layout == "csv":
            complete = self.csv and self.id_column and self.label_column and self.file_pattern
            _check(bool(complete), "The layout 'csv' needs csv, id_column, label_column and file_pattern.")

    @classmethod
    def from_json(cls, text: str) -> "SourceSpec":
        """Read one source; SpecError names settings that do not exist."""
        return _build(cls, _json_object(text))


@dataclass(frozen=True)
class TrainSpec:
    """One training run.

    context : side of the crop in units of the longer side of the cell's box
    images_per_epoch : crops drawn per epoch, the classes in equal parts
    unknown_share : share of the drawn crops that show none of the classes
    stain_jitter : spread (standard deviation, log scale) of the stain strength per channel in augmentation
    folds, fold : validation is one fold of so many, closed over source cells; fold -1 trains on everything
    """

    name: str
    sources: tuple[SourceSpec, ...]
    title: str = ""
    class_names: tuple[str, ...] = WHITE_CELLS_4
    model: str = "small"
    stage_widths: tuple[int, ...] = (24, 48, 96, 160)
    side_px: int = 64
    context: float = 1.25
    epochs: int = 15
    images_per_epoch: int = 4000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    label_smoothing: float = 0.05
    dropout: float = 0.3
    unknown_share: float = 0.15
    stain_jitter: float = 0.15
    views: int = 1
    folds: int = 5
    fold: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _check(len(self.class_names) >= 2, f"A model needs two classes or more. Received: {self.class_names}.")
        _check(all(isinstance(name, str) and name for name in self.class_names), "Class names must be words.")
        _check(len(set(self.class_names)) == len(self.class_names), f"Class names occur twice: {self.class_names}.")
        names = [source.name for source in self.sources]
        _check(len(set(names)) == len(names), f"Sources need names of their own. Received: {names}.")
        _check(0 <= self.dropout < 1, f"`dropout` must be from 0 to below 1. Received: {self.dropout}.")
        _check(
            0 <= self.label_smoothing < 0.5, f"`label_smoothing` must be 0 to 0.5. Received: {self.label_smoothing}."
        )
        _check(0 < self.learning_rate < 1, f"`learning_rate` must be between 0 and 1. Received: {self.learning_rate}.")
        _check(0 <= self.stain_jitter <= 1, f"`stain_jitter` must be from 0 to 1. Received: {self.stain_jitter}.")
        _check(len(self.sources) >= 1, "A training run needs at least one source of labelled images.")
        _check(32 <= self.side_px <= 256, f"`side_px` must be from 32 to 256. Received: {self.side_px}.")
        _check(self.epochs >= 1, f"`epochs` must be 1 or more. Received: {self.epochs}.")
        _check(self.batch_size >= 2, f"`batch_size` must be 2 or more. Received: {self.batch_size}.")
        _check(self.images_per_epoch >= self.batch_size, "`images_per_epoch` must be at least one batch.")
        _check(0 <= self.unknown_share < 0.5, f"`unknown_share` must be from 0 to 0.5. Received: {self.unknown_share}.")
        _check(self.folds >= 2, f"`folds` must be 2 or more. Received: {self.folds}.")
        _check(-1 <= self.fold < self.folds, f"`fold` must be from -1 to {self.folds - 1}. Received: {self.fold}.")
        _check(self.views in (1, 2, 4), f"`views` must be 1, 2 or 4. Received: {self.views}.")

    @classmethod
    def from_json(cls, text: str) -> "TrainSpec":
        """Read a spec; SpecError names settings that do not exist."""
        values = _json_object(text)
        sources = values.pop("sources", [])
        if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
            raise SpecError("`sources` must be a list of objects.")
        built = tuple(_build(SourceSpec, source) for source in sources)
        return _build(cls, values | {"sources": built})

    @classmethod
    def read(cls, path: Path) -> "TrainSpec":
        """Read spec.json from a file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpecError(f"The training spec {path} cannot be read: {error.strerror}.") from error

    def to_json(self) -> str:
        """Write the spec so that `from_json` gives it back equal."""
        return json.dumps(asdict(self), indent=2)

    def tiny(self) -> "TrainSpec":
        """The same run, small enough for a test."""
        return replace(self, stage_widths=(8, 12), side_px=32, epochs=1, images_per_epoch=32, batch_size=16)


def _json_object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"The settings are not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise SpecError("The settings must be one JSON object.")
    return values


def _build(kind: type, values: dict[str, Any]) -> Any:
    known = [field.name for field in fields(kind)]
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise SpecError(f"Unknown training settings {unknown}. Known: {known}.")
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except TypeError as error:
        raise SpecError(f"The training spec lacks a setting or has one of the wrong type: {error}.") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise SpecError(message)
