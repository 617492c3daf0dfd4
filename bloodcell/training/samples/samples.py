"""From labelled images to training samples: crops, or whole images, with class, source cell and data source.

They are cut once and then cached in files, from which they are read as they are drawn.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnProgress, OnStep
from bloodcell.datasets.catalog.open_sources import open_source, read_source_split
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.inference.field_scale import MAX_SCALE_IMAGES
from bloodcell.inference.frame_scale import measure_frame_scale
from bloodcell.inference.framing import Framing
from bloodcell.model_store.folder import MASK_FILE
from bloodcell.model_store.io_spec import ALL_OUTPUTS, CELL, FEATURES, LOGITS, PHYSICAL_FRAME, ModelIOSpec
from bloodcell.training.samples.crop_store import StoredCrops
from bloodcell.training.samples.cutting import Cutter, cut_cell, cut_whole_image, write_crops
from bloodcell.training.samples.source_cache import (
    hash_content,
    load_source_groups,
    make_safe_name,
    read_file_stamps,
)
from bloodcell.training.specs.train_spec import TrainSpec

# Crops of cells are stored this much wider than the network's input, so that rotation leaves no empty corners.
STORED_SCALE = 1.5
CACHE_VERSION = 3
OOD = -1
# The part of images that are not in their source's split.
NOT_IN_SPLIT = "not in the split"


@dataclass(frozen=True)
class Samples:
    """N crops, or whole images, ready for training.

    Attributes
    ----------
    stored_crops : ndarray of uint8, or StoredCrops, shape (N, H, W, 3)
        Crops of cells are `STORED_SCALE` wider than the network's input.
    class_index : ndarray of int64, shape (N,)
        `OOD` for cells of other classes and for crops without a white cell.
    group : ndarray of int64, shape (N,)
        Source cell; copies of one cell share it.
    source : ndarray of int64, shape (N,)
        Index of the spec's source.
    file : list of str
        N file names.
    no_cell : dict of str to int
        Source name -> number of labelled images in which no white cell was found.
    part : list of str, optional
        The part of its source's split that each image is in; "" where the source has no split, `NOT_IN_SPLIT` for
        images that the split does not name. None where no source has a split.
    """

    stored_crops: np.ndarray | StoredCrops
    class_index: np.ndarray
    group: np.ndarray
    source: np.ndarray
    file: list[str]
    no_cell: dict[str, int]
    part: list[str] | None = None

    def take(self, rows: np.ndarray) -> "Samples":
        """Return the samples at `rows` (indices or a bool mask)."""
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
    """Build the input and output spec of a training spec's network."""
    outputs = ALL_OUTPUTS if spec.ood_head else (LOGITS, FEATURES)
    needs_white_cell = spec.needs_white_cell or spec.input == CELL
    return ModelIOSpec(
        spec.height_px, spec.width_px, spec.input, spec.context, outputs, spec.mask, needs_white_cell, spec.frame
    )


def build_stored_io_spec(spec: TrainSpec) -> ModelIOSpec:
    """Build the input spec of the stored crops: that of the network, but `STORED_SCALE` wider for crops of cells."""
    io_spec = build_io_spec(spec)
    if spec.input != CELL:
        return io_spec
    height_px, width_px = (round(STORED_SCALE * side) for side in (spec.height_px, spec.width_px))
    return replace(io_spec, height_px=height_px, width_px=width_px, context=STORED_SCALE * spec.context)


def load_samples(spec: TrainSpec, data_dir: Path, cache_dir: Path, on_progress: OnStep | None = None) -> Samples:
    """Find, crop and label the cells of all sources of a spec.

    Parameters
    ----------
    spec : TrainSpec
        Its sources, and how its network takes images.
    data_dir : Path
        Folder that the sources' paths start from.
    cache_dir : Path
        Folder for finished crops; their key holds the files' names, sizes and times, and the framing.
    on_progress : callable, optional
        Called with (source, done, total) for each image that is cropped or compared.

    Returns
    -------
    Samples
        In the order of the sources, and of the images in each.

    Raises
    ------
    DatasetError
        If a source is missing or holds no image of any of the classes.
    """
    loaded = [_load_source_samples(spec, source, data_dir, cache_dir, on_progress) for source in spec.sources]
    stored_crops = [samples.stored_crops for samples in loaded if isinstance(samples.stored_crops, StoredCrops)]
    group_offset, groups, sources = 0, [], []
    for number, samples in enumerate(loaded):
        groups.append(samples.group + group_offset)
        group_offset += int(samples.group.max()) + 1
        sources.append(np.full(len(samples.class_index), number))
    return Samples(
        reduce(StoredCrops.join_crops, stored_crops),
        np.concatenate([samples.class_index for samples in loaded]),
        np.concatenate(groups),
        np.concatenate(sources),
        [file for samples in loaded for file in samples.file],
        {name: n for samples in loaded for name, n in samples.no_cell.items()},
        [part for samples in loaded for part in samples.part or [""] * len(samples.file)],
    )


def _bind_source_name(on_progress: OnStep | None, name: str) -> OnProgress | None:
    return None if on_progress is None else lambda done, total: on_progress(name, done, total)


def _load_source_samples(
    spec: TrainSpec, source: SourceSpec, data_dir: Path, cache_dir: Path, on_progress: OnStep | None
) -> Samples:
    images, records = open_source(source, data_dir)
    with images:
        if source.unlisted == "skip":
            records = [record for record in records if record.label in spec.class_names]
        if not any(record.label in spec.class_names for record in records):
            labels = sorted({record.label for record in records})[:12]
            raise DatasetError(f"{source.path} has no image of {', '.join(spec.class_names)}. Labels found: {labels}.")
        stored_crops, record_rows, crop_labels = _load_crops(
            spec, source, data_dir, images, records, cache_dir, _bind_source_name(on_progress, source.name)
        )
        rows = np.unique(record_rows)  # an image may have given two crops
        on_copy_progress = _bind_source_name(on_progress, f"{source.name}: copies")
        groups = load_source_groups(
            source, data_dir, images, [records[row] for row in rows], cache_dir, on_copy_progress
        )
    index_of_class = {name: index for index, name in enumerate(spec.class_names)}
    files = [records[row].file for row in record_rows]
    return Samples(
        stored_crops,
        np.array([index_of_class.get(label, OOD) for label in crop_labels.tolist()], np.int64),
        groups[np.searchsorted(rows, record_rows)],
        np.zeros(len(record_rows), np.int64),
        files,
        {source.name: len(records) - len(rows)},
        _find_parts(source, data_dir, files),
    )


def _load_crops(
    spec: TrainSpec,
    source: SourceSpec,
    data_dir: Path,
    images: Contents,
    records: list[Record],
    cache_dir: Path,
    on_progress: OnProgress | None,
) -> tuple[StoredCrops, np.ndarray, np.ndarray]:
    """Open the crops of a source, cut first where they are not cached; the row in `records` and label of each."""
    io_spec = build_stored_io_spec(spec)
    shape = (io_spec.height_px, io_spec.width_px, 3)
    red_cell_px = measure_source_scale(spec, source, images, records)
    key = _compute_cache_key(spec, source, data_dir, records, red_cell_px)
    cached = cache_dir / f"crops-{make_safe_name(source.name)}-{key}.npz"
    if not cached.exists():
        write_crops(build_cutter(spec, data_dir, images, red_cell_px), images, records, shape, cached, on_progress)
    with np.load(cached, allow_pickle=False) as index:
        record_rows, labels = index["kept"], index["labels"]
    return StoredCrops([(cached.with_suffix(".crops"), len(record_rows))], shape), record_rows, labels


def _find_parts(source: SourceSpec, data_dir: Path, files: list[str]) -> list[str] | None:
    """Find the part of the source's split that each file is in; None where the source has no split."""
    split = read_source_split(source, data_dir)
    if split is None:
        return None
    part_of_file = dict(zip(split.table["file"], split.table["split"], strict=True))
    return [part_of_file.get(file, NOT_IN_SPLIT) for file in files]


def measure_source_scale(
    spec: TrainSpec, source: SourceSpec, images: Contents, records: Sequence[Record]
) -> float | None:
    """Return the diameter of red cells in a source, in pixels: as its spec says, or measured; None for box frames.

    Raises
    ------
    ModelError
        If it is needed and no image tells it.
    """
    if spec.frame == PHYSICAL_FRAME and source.red_cell_px:
        return source.red_cell_px
    places = np.linspace(0, len(records) - 1, min(MAX_SCALE_IMAGES, len(records))).round().astype(int)
    return measure_frame_scale(build_io_spec(spec), (images.read(records[place].file) for place in places), source.name)


def _compute_cache_key(
    spec: TrainSpec, source: SourceSpec, data_dir: Path, records: list[Record], red_cell_px: float | None
) -> str:
    masks = _hash_file(find_mask_file(spec, data_dir))
    framing = [CACHE_VERSION, build_stored_io_spec(spec).to_dict(), masks, source.layout]
    framing += [] if red_cell_px is None else [red_cell_px]
    labels = [{"file": record.file, "label": record.label} for record in records]
    return hash_content([framing, read_file_stamps(source, data_dir, records), labels])


def find_mask_file(spec: TrainSpec, data_dir: Path) -> Path | None:
    """Return the file of the U-Net that hides the background for a spec; None where none does."""
    return data_dir / spec.mask_model / MASK_FILE if spec.mask_model else None


def _hash_file(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""


def build_cutter(spec: TrainSpec, data_dir: Path, images: Contents, red_cell_px: float | None = None) -> Cutter:
    """Build the function that cuts the stored crops of a labelled image.

    Parameters
    ----------
    spec : TrainSpec
        How its network takes images.
    data_dir : Path
        Folder that the path of the spec's U-Net starts from.
    images : Contents
        The open images of a source.
    red_cell_px : float, optional
        Of `measure_source_scale`.

    Returns
    -------
    callable
        Called with a Record, it returns the largest cell and a look-alike or None; or the whole image; or an empty
        tuple where the image cannot be read or shows no cell.

    Raises
    ------
    ModelError
        If the spec's U-Net for masks is missing or damaged.
    """
    framing = Framing(build_stored_io_spec(spec), find_mask_file(spec, data_dir))
    if spec.input != CELL:
        return partial(cut_whole_image, framing, images)
    return partial(cut_cell, framing, images, red_cell_px=red_cell_px)
