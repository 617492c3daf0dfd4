"""From labelled images to what a network learns from: crops or pictures with class, source cell and data source.

They are made once and then cached in files, from which they are read as they are drawn.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np

from bloodcell.data.contents import Contents
from bloodcell.data.open_sources import open_source, split_of
from bloodcell.data.records import Record
from bloodcell.data.sources import SourceSpec
from bloodcell.data.whole_files import writing_whole
from bloodcell.errors import BloodcellError, DatasetError
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.infer.framing import Framing
from bloodcell.runs.takes import ALL_OUTPUTS, CELL, FEATURES, LOGITS, MASK_FILE, Takes
from bloodcell.training.crop_store import CropWriter, StoredCrops, read_ahead
from bloodcell.training.source_cache import Counter, content_key, in_a_file_name, source_groups, stamps
from bloodcell.training.spec import TrainSpec

# Crops are kept this much wider than the net sees, so that turning them leaves no empty corners.
WIDER = 1.5
CACHE_VERSION = 3
UNKNOWN = -1
# The part of an image that its source's split does not name.
LEFT_OUT = "not in the split"
# Label of crops that show no cell at all, and the part of a picture that is searched for them.
MISTAKEN = ""
PART_SHARE = 0.42

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
    return Takes(spec.height_px, spec.width_px, spec.input, spec.context, outputs, spec.mask)


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
        cached = cache_dir / f"crops-{in_a_file_name(source.name)}-{_cache_key(spec, source, data_dir, records)}.npz"
        if not cached.exists():
            _make_crops(spec, data_dir, images, records, cached, _named(on_progress, source.name))
        with np.load(cached, allow_pickle=False) as stored:
            kept, labels = stored["kept"], stored["labels"]
        stored_as = stored_takes(spec)
        shape = (stored_as.height_px, stored_as.width_px, 3)
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


def cutter(spec: TrainSpec, data_dir: Path, images: Contents) -> Callable[[Record], tuple[np.ndarray | None, ...]]:
    """What makes the stored crops of a labelled image.

    Called with a Record it gives the largest cell, and what could be mistaken for one or None; or the whole picture; or
    nothing, where the image cannot be read or shows no cell.

    Raises
    ------
    ModelError
        If the spec's U-Net for masks is missing or damaged.
    """
    framing = Framing(stored_takes(spec), mask_file(spec, data_dir))
    return partial(_cut_cells if spec.input == CELL else _whole, framing, images)


def _make_crops(
    spec: TrainSpec,
    data_dir: Path,
    images: Contents,
    records: list[Record],
    cached: Path,
    on_progress: Counter | None,
) -> None:
    """Write the crops to a file, and what they are beside it; the latter last, so that both are whole."""
    takes = stored_takes(spec)
    cut = cutter(spec, data_dir, images)
    kept, labels = [], []
    with CropWriter(cached.with_suffix(".crops"), (takes.height_px, takes.width_px, 3)) as writer:
        for row, crops in enumerate(read_ahead(cut, records)):
            for crop, label in zip(crops, (records[row].label, MISTAKEN), strict=False):
                if crop is not None:
                    writer.add(crop)
                    kept.append(row)
                    labels.append(label)
            if on_progress is not None:
                on_progress(row + 1, len(records))
        if not kept:
            raise DatasetError(f"No white cell was found in any of the {len(records)} images of {images.path.name}.")
    with writing_whole(cached) as stream:
        np.savez(stream, kept=np.array(kept), labels=np.array(labels))


def picture_of(images: Contents, record: Record) -> np.ndarray | None:
    """A labelled picture; None where it cannot be read. DatasetError where the images have vanished altogether."""
    try:
        return read_rgb(images.read(record.file))
    except BloodcellError as error:
        if not images.path.exists():
            raise DatasetError(f"{record.file} cannot be read: {images.path} is gone.") from error
        return None


def _whole(framing: Framing, images: Contents, record: Record) -> tuple[np.ndarray, ...]:
    """The whole picture; nothing where it cannot be read."""
    rgb = picture_of(images, record)
    if rgb is None:
        return ()
    return (framing.cut(framing.hide(rgb), Box(0, 0, *rgb.shape[:2])),)


def _cut_cells(framing: Framing, images: Contents, record: Record) -> tuple[np.ndarray | None, ...]:
    """The largest cell, and what could be mistaken for one or None; nothing where there is no cell."""
    rgb = picture_of(images, record)
    if rgb is None:
        return ()
    finding = find_white_cells(rgb)
    if not finding.boxes:
        return ()
    box = max(finding.boxes, key=lambda found: found.area_px)
    cell = framing.cut(framing.hide(rgb, finding.background_rgb), box, finding.background_rgb)
    return cell, _mistaken_crop(framing, rgb, finding.boxes)


def _mistaken_crop(framing: Framing, rgb: np.ndarray, boxes: tuple[Box, ...]) -> np.ndarray | None:
    """What the finder takes for a cell in a part of the picture that holds none: a platelet, a red cell, debris."""
    height, width = rgb.shape[:2]
    part_px = round(PART_SHARE * min(height, width))
    for top in (0, height - part_px):
        for left in (0, width - part_px):
            window = Box(top, left, top + part_px, left + part_px)
            if any(iou(window, box) > 0 for box in boxes):
                continue
            part = np.ascontiguousarray(rgb[top : top + part_px, left : left + part_px])
            found = find_white_cells(part)
            if found.boxes:
                return framing.cut(framing.hide(part, found.background_rgb), found.boxes[0], found.background_rgb)
    return None
