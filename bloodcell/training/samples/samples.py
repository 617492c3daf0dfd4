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
from bloodcell.datasets.catalog.open_sources import open_source, read_source_split
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.inference.framing import Framing
from bloodcell.model_store.io_spec import ALL_OUTPUTS, CELL, FEATURES, LOGITS, MASK_FILE, ModelIOSpec
from bloodcell.training.samples.crop_store import StoredCrops
from bloodcell.training.samples.cutting import Cutter, cut_cell, cut_whole_image, write_crops
from bloodcell.training.samples.source_cache import (
    CountProgress,
    hash_content,
    load_source_groups,
    make_safe_name,
    read_file_stamps,
)
from bloodcell.training.specs.train_spec import TrainSpec

# Crops are kept this much wider than the net sees, so that turning them leaves no empty corners.
STORED_SCALE = 1.5
CACHE_VERSION = 3
OOD = -1
# The part of an image that its source's split does not name.
NOT_IN_SPLIT = "not in the split"

SourceProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Samples:
    """Crops, or whole pictures, ready for training.

    wide : uint8 (N, H, W, 3), an array or crops in files; crops of cells are `STORED_SCALE` than what the network takes
    class_index : int64 array (N,), `OOD` for cells of other classes and for crops without a white cell
    group : int64 array (N,), source cell; copies of one cell share it
    source : int64 array (N,), index of the spec's source
    file : list of N names
    no_cell : dict, source name -> number of labelled images in which no white cell was found
    part : list of N names, the part of its source's split that an image lies in, "" where there is no split; None
        where no source has one
    """

    stored_crops: np.ndarray | StoredCrops
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
        stored_crops = (
            self.stored_crops.take(rows) if isinstance(self.stored_crops, StoredCrops) else self.stored_crops[rows]
        )
        return Samples(
            stored_crops, self.class_index[rows], self.group[rows], self.source[rows], files, self.no_cell, part
        )


def build_io_spec(spec: TrainSpec) -> ModelIOSpec:
    """What the network of a spec takes and gives."""
    outputs = ALL_OUTPUTS if spec.ood_head else (LOGITS, FEATURES)
    needs = spec.needs_white_cell or spec.input == CELL
    return ModelIOSpec(spec.height_px, spec.width_px, spec.input, spec.context, outputs, spec.mask, needs)


def build_stored_io_spec(spec: TrainSpec) -> ModelIOSpec:
    """How the stored crops are made: as the network takes them, those of cells `STORED_SCALE`."""
    io_spec = build_io_spec(spec)
    if spec.input != CELL:
        return io_spec
    height_px, width_px = (round(STORED_SCALE * side) for side in (spec.height_px, spec.width_px))
    return replace(io_spec, height_px=height_px, width_px=width_px, context=STORED_SCALE * spec.context)


def load_samples(
    spec: TrainSpec, data_dir: Path, cache_dir: Path, on_progress: SourceProgress | None = None
) -> Samples:
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
    parts = [_load_source_samples(spec, source, data_dir, cache_dir, on_progress) for source in spec.sources]
    group_offset, groups, sources = 0, [], []
    for number, part in enumerate(parts):
        groups.append(part.group + group_offset)
        group_offset += int(part.group.max()) + 1
        sources.append(np.full(len(part.class_index), number))
    return Samples(
        reduce(
            StoredCrops.join_crops, [part.stored_crops for part in parts if isinstance(part.stored_crops, StoredCrops)]
        ),
        np.concatenate([part.class_index for part in parts]),
        np.concatenate(groups),
        np.concatenate(sources),
        [file for part in parts for file in part.file],
        {source.name: part.no_cell[source.name] for source, part in zip(spec.sources, parts, strict=True)},
        [name for part in parts for name in part.part or [""] * len(part.file)],
    )


def _bind_source_name(on_progress: SourceProgress | None, name: str) -> CountProgress | None:
    return None if on_progress is None else lambda done, total: on_progress(name, done, total)


def _load_source_samples(
    spec: TrainSpec, source: SourceSpec, data_dir: Path, cache_dir: Path, on_progress: SourceProgress | None
) -> Samples:
    images, records = open_source(source, data_dir)
    with images:
        if source.unlisted == "skip":
            records = [record for record in records if record.label in spec.class_names]
        if not any(record.label in spec.class_names for record in records):
            found = sorted({record.label for record in records})[:12]
            raise DatasetError(f"{source.path} holds no image of {', '.join(spec.class_names)}. Labels found: {found}.")
        io_spec = build_stored_io_spec(spec)
        shape = (io_spec.height_px, io_spec.width_px, 3)
        cached = (
            cache_dir / f"crops-{make_safe_name(source.name)}-{_compute_cache_key(spec, source, data_dir, records)}.npz"
        )
        if not cached.exists():
            cut = build_cutter(spec, data_dir, images)
            write_crops(cut, images, records, shape, cached, _bind_source_name(on_progress, source.name))
        with np.load(cached, allow_pickle=False) as stored:
            kept, labels = stored["kept"], stored["labels"]
        stored_crops = StoredCrops([(cached.with_suffix(".crops"), len(kept))], shape)
        rows = np.unique(kept)  # an image may have given two crops
        shown, on_copy_progress = (
            [records[row] for row in rows],
            _bind_source_name(on_progress, f"{source.name}: copies"),
        )
        group = load_source_groups(source, data_dir, images, shown, cache_dir, on_copy_progress)[
            np.searchsorted(rows, kept)
        ]
    names = {name: index for index, name in enumerate(spec.class_names)}
    class_index = np.array([names.get(label, OOD) for label in labels.tolist()], np.int64)
    files = [records[row].file for row in kept]
    split = read_source_split(source, data_dir)
    part_of = {} if split is None else dict(zip(split.table["file"], split.table["split"], strict=True))
    part = None if split is None else [part_of.get(file, NOT_IN_SPLIT) for file in files]
    missing = {source.name: len(records) - len(set(kept.tolist()))}
    return Samples(stored_crops, class_index, group, np.zeros(len(kept), np.int64), files, missing, part)


def _compute_cache_key(spec: TrainSpec, source: SourceSpec, data_dir: Path, records: list[Record]) -> str:
    masks = _hash_file(find_mask_file(spec, data_dir)) if spec.mask_model else ""
    framing = [CACHE_VERSION, build_stored_io_spec(spec).to_description(), masks, source.layout]
    labels = [{"file": record.file, "label": record.label} for record in records]
    return hash_content([framing, read_file_stamps(source, data_dir, records), labels])


def find_mask_file(spec: TrainSpec, data_dir: Path) -> Path | None:
    """The U-Net that hides the background for a spec; None where none does."""
    return data_dir / spec.mask_model / MASK_FILE if spec.mask_model else None


def _hash_file(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""


def build_cutter(spec: TrainSpec, data_dir: Path, images: Contents) -> Cutter:
    """What makes the stored crops of a labelled image.

    Called with a Record it gives the largest cell, and what could be mistaken for one or None; or the whole picture; or
    nothing, where the image cannot be read or shows no cell.

    Raises
    ------
    ModelError
        If the spec's U-Net for masks is missing or damaged.
    """
    framing = Framing(build_stored_io_spec(spec), find_mask_file(spec, data_dir))
    return partial(cut_cell if spec.input == CELL else cut_whole_image, framing, images)
