"""From labelled images to what a network learns from: crops or pictures with class, source cell and data source.

They are made once and then cached in files, from which they are read as they are drawn.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.open_sources import open_source, split_of
from bloodcell.datasets.catalog.sources import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.inference.framing import Framing
from bloodcell.model_store.io_spec import ALL_OUTPUTS, CELL, FEATURES, LOGITS, MASK_FILE, Takes
from bloodcell.training.samples.crop_store import StoredCrops
from bloodcell.training.samples.cutting import Cut, cut_cell, cut_whole, write_crops
from bloodcell.training.samples.source_cache import Counter, content_key, in_a_file_name, source_groups, stamps
from bloodcell.training.specs.train_spec import TrainSpec

# Crops are kept this much wider than the net sees, so that turning them leaves no empty corners.
WIDER = 1.5
CACHE_VERSION = 3
UNKNOWN = -1
# The part of an image that its source's split does not name.
LEFT_OUT = "not in the split"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Samples:
    """Crops, or whole pictures, ready for training.

    wide : uint8 (N, H, W, 3), an array or crops in files; crops of cells are `WIDER` than what the network takes
    class_index : int64 array (N,), `UNKNOWN` for cells of other classes and for crops without a white cell
    group : int64 array (N,), source cell; copies of one cell share it
    source : int64 array (N,), index of the spec's source
    file : list of N names
    no_cell : dict, source name -> number of labelled images in which no white cell was found
    part : list of N names, the part of its source's split that an image lies in, "" where there is no split; None
        where no source has one
    """

    wide: np.ndarray | StoredCrops
    class_index: np.ndarray
    group: np.ndarray
    source: np.ndarray
    file: list[str]
    no_cell: dict[str, int]
    part: list[str] | None = None

    def take(self, rows: np.ndarray) -> "Samples":
        """The samples at `rows` (indices or a bool mask)."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        files = [self.file[row] for row in rows]
        part = None if self.part is None else [self.part[row] for row in rows]
        wide = self.wide.take(rows) if isinstance(self.wide, StoredCrops) else self.wide[rows]
        return Samples(wide, self.class_index[rows], self.group[rows], self.source[rows], files, self.no_cell, part)


def takes_of_spec(spec: TrainSpec) -> Takes:
    """What the network of a spec takes and gives."""
    outputs = ALL_OUTPUTS if spec.known_head else (LOGITS, FEATURES)
    needs = spec.needs_white_cell or spec.input == CELL
    return Takes(spec.height_px, spec.width_px, spec.input, spec.context, outputs, spec.mask, needs)


def stored_takes(spec: TrainSpec) -> Takes:
    """How the stored crops are made: as the network takes them, those of cells `WIDER`."""
    takes = takes_of_spec(spec)
    if spec.input != CELL:
        return takes
    height_px, width_px = (round(WIDER * side) for side in (spec.height_px, spec.width_px))
    return replace(takes, height_px=height_px, width_px=width_px, context=WIDER * spec.context)


def load_samples(spec: TrainSpec, data_dir: Path, cache_dir: Path, on_progress: Progress | None = None) -> Samples:
    """Find, crop and label the cells of all sources of a spec.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    cache_dir : folder for finished crops; the key holds the files' names, sizes and times, and the framing

    Raises
    ------
    DatasetError
        If a source is missing or holds no image of any of the classes.
    """
    parts = [_source_samples(spec, source, data_dir, cache_dir, on_progress) for source in spec.sources]
    group_offset, groups, sources = 0, [], []
    for number, part in enumerate(parts):
        groups.append(part.group + group_offset)
        group_offset += int(part.group.max()) + 1
        sources.append(np.full(len(part.class_index), number))
    return Samples(
        reduce(StoredCrops.joined, [part.wide for part in parts if isinstance(part.wide, StoredCrops)]),
        np.concatenate([part.class_index for part in parts]),
        np.concatenate(groups),
        np.concatenate(sources),
        [file for part in parts for file in part.file],
        {source.name: part.no_cell[source.name] for source, part in zip(spec.sources, parts, strict=True)},
        [name for part in parts for name in part.part or [""] * len(part.file)],
    )


def _named(on_progress: Progress | None, name: str) -> Counter | None:
    return None if on_progress is None else lambda done, total: on_progress(name, done, total)


def _source_samples(
    spec: TrainSpec, source: SourceSpec, data_dir: Path, cache_dir: Path, on_progress: Progress | None
) -> Samples:
    images, records = open_source(source, data_dir)
    with images:
        if source.unlisted == "skip":
            records = [record for record in records if record.label in spec.class_names]
        if not any(record.label in spec.class_names for record in records):
            found = sorted({record.label for record in records})[:12]
            raise DatasetError(f"{source.path} holds no image of {', '.join(spec.class_names)}. Labels found: {found}.")
        takes = stored_takes(spec)
        shape = (takes.height_px, takes.width_px, 3)
        cached = cache_dir / f"crops-{in_a_file_name(source.name)}-{_cache_key(spec, source, data_dir, records)}.npz"
        if not cached.exists():
            cut = cutter(spec, data_dir, images)
            write_crops(cut, images, records, shape, cached, _named(on_progress, source.name))
        with np.load(cached, allow_pickle=False) as stored:
            kept, labels = stored["kept"], stored["labels"]
        wide = StoredCrops([(cached.with_suffix(".crops"), len(kept))], shape)
        rows = np.unique(kept)  # an image may have given two crops
        shown, told = [records[row] for row in rows], _named(on_progress, f"{source.name}: copies")
        group = source_groups(source, data_dir, images, shown, cache_dir, told)[np.searchsorted(rows, kept)]
    names = {name: index for index, name in enumerate(spec.class_names)}
    class_index = np.array([names.get(label, UNKNOWN) for label in labels.tolist()], np.int64)
    files = [records[row].file for row in kept]
    split = split_of(source, data_dir)
    part_of = {} if split is None else dict(zip(split.table["file"], split.table["split"], strict=True))
    part = None if split is None else [part_of.get(file, LEFT_OUT) for file in files]
    missing = {source.name: len(records) - len(set(kept.tolist()))}
    return Samples(wide, class_index, group, np.zeros(len(kept), np.int64), files, missing, part)


def _cache_key(spec: TrainSpec, source: SourceSpec, data_dir: Path, records: list[Record]) -> str:
    masks = _sha256(mask_file(spec, data_dir)) if spec.mask_model else ""
    framing = [CACHE_VERSION, stored_takes(spec).to_description(), masks, source.layout]
    labels = [{"file": record.file, "label": record.label} for record in records]
    return content_key([framing, stamps(source, data_dir, records), labels])


def mask_file(spec: TrainSpec, data_dir: Path) -> Path | None:
    """The U-Net that hides the background for a spec; None where none does."""
    return data_dir / spec.mask_model / MASK_FILE if spec.mask_model else None


def _sha256(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""


def cutter(spec: TrainSpec, data_dir: Path, images: Contents) -> Cut:
    """What makes the stored crops of a labelled image.

    Called with a Record it gives the largest cell, and what could be mistaken for one or None; or the whole picture; or
    nothing, where the image cannot be read or shows no cell.

    Raises
    ------
    ModelError
        If the spec's U-Net for masks is missing or damaged.
    """
    framing = Framing(stored_takes(spec), mask_file(spec, data_dir))
    return partial(cut_cell if spec.input == CELL else cut_whole, framing, images)
