"""From pictures and their masks to what a U-Net learns from: both at its size, made once, kept in a file."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.core.io import open_atomic
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.datasets.catalog.open_sources import open_source, read_source_split
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.datasets.masks.annotated_masks import AnnotatedMasks, find_annotated_masks
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.split import TRAIN, VALIDATION, draw_groups
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.threshold import mask_cell_by_otsu
from bloodcell.training.samples.crop_store import CropWriter, StoredCrops, read_ahead
from bloodcell.training.samples.cutting import read_record_image
from bloodcell.training.samples.source_cache import hash_content, load_source_groups, make_safe_name, read_file_stamps
from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec

CACHE_VERSION = 1
CELL_LEVEL = 255  # in the fourth channel of a stored picture


@dataclass(frozen=True)
class MaskSamples:
    """Pictures with the masks that shall be learned.

    pairs : uint8 (N, height_px, width_px, 4), read as they are drawn: red, green, blue, and `CELL_LEVEL` on the cell
    group : int64 array (N,), source cell; copies of one cell share it
    held : bool array (N,), held back to measure on
    file : list of N names
    left_out : pictures that could not be read, have no mask, or are in no part of the split
    leaky : whether a split tears copies of one cell apart
    """

    pairs: StoredCrops
    group: np.ndarray
    held_out: np.ndarray
    file: list[str]
    left_out: int
    leaky: bool


@dataclass(frozen=True)
class Pairs:
    """The pictures of a spec and how their masks are made, open for reading; to be used in a `with` block.

    records : the pictures that have a mask, at most `limit`
    n_pictures : of the source, those without a mask too
    drawn : DrawnMasks, None where Otsu's are learned
    """

    images: Contents
    records: list[Record]
    n_images: int
    drawn: AnnotatedMasks | None

    def __enter__(self) -> "Pairs":
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as closing:
            closing.callback(self.images.close)
            if self.drawn is not None:
                closing.callback(self.drawn.masks.close)

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray] | None:
        """A picture, uint8 (H, W, 3), and the mask to learn, bool (H, W); None where the picture cannot be read.

        Raises
        ------
        DatasetError, ImageError
            If the images are gone, or a drawn mask is none.
        """
        rgb = read_record_image(self.images, record)
        if rgb is None:
            return None
        return rgb, mask_cell_by_otsu(rgb) if self.drawn is None else self.drawn.read(record.file, rgb.shape[:2])

    def read_file_stamps(self) -> list:
        """Names, sizes and times of the mask files."""
        if self.drawn is None:
            return []
        stored = [self.drawn.masks.files[self.drawn.mask_by_image[record.file]] for record in self.records]
        return [(one.file, one.n_bytes, one.stamp) for one in stored]


def open_pairs(spec: MasksSpec, data_dir: Path) -> Pairs:
    """Open the pictures of a spec and find their masks.

    Parameters
    ----------
    data_dir : folder that the source's path starts from

    Raises
    ------
    DatasetError
        If the source is missing, or no picture has a mask.
    """
    images, records = open_source(spec.source, data_dir)
    drawn = None
    if spec.targets == DRAWN:
        mask_records, drawn = find_annotated_masks(images, records, spec.masks, spec.cell_values)
    else:
        mask_records, _ = pair_masks(images, records)
    n_images = len(mask_records)
    if drawn is not None:
        mask_records = [record for record in mask_records if record.file in drawn.mask_by_image]
    if spec.limit:
        mask_records = sorted(sample_records(mask_records, spec.limit, spec.seed), key=lambda record: record.file)[
            : spec.limit
        ]
    return Pairs(images, mask_records, n_images, drawn)


def load_mask_samples(spec: MasksSpec, data_dir: Path, cache_dir: Path, control: Control) -> MaskSamples:
    """Read all pictures and masks of a spec, and say which are held back.

    Parameters
    ----------
    data_dir : folder that the source's path starts from
    cache_dir : folder for what is made; the key holds the files' names, sizes and times
    control : is told how many are read, and may stop it

    Raises
    ------
    DatasetError, ImageError, StoppedError
    """
    source = spec.source

    def on_progress(what: str, done: int, total: int) -> None:
        raise_if_stopped(control)
        control.on_reading(what, done, total)

    with open_pairs(spec, data_dir) as pairs:
        size = (spec.height_px, spec.width_px)
        how = [CACHE_VERSION, size, spec.targets, list(spec.cell_values), source.layout, pairs.read_file_stamps()]
        files = [record.file for record in pairs.records]
        key = hash_content([how, read_file_stamps(source, data_dir, pairs.records), files])
        stored = cache_dir / f"masks-{make_safe_name(source.name)}-{key}.npz"
        if not stored.exists():
            _write_pairs(pairs, size, stored, partial(on_progress, source.name))
        with np.load(stored, allow_pickle=False) as found:
            kept = found["kept"]
        crops = StoredCrops([(stored.with_suffix(".crops"), len(kept))], (*size, 4))
        records = [pairs.records[row] for row in kept]
        group = load_source_groups(
            source, data_dir, pairs.images, records, cache_dir, partial(on_progress, f"{source.name}: copies")
        )
    part, leaky = _assign_parts(spec, data_dir, records, group)
    used = np.flatnonzero(part != "")
    left_out = (pairs.n_images if not spec.limit else len(pairs.records)) - len(used)
    names = [records[row].file for row in used]
    return MaskSamples(crops.take(used), group[used], part[used] == VALIDATION, names, left_out, leaky)


def _write_pairs(pairs: Pairs, size: tuple[int, int], path: Path, on_progress: Callable[[int, int], None]) -> None:
    """Write pictures and masks to a file, and which they are beside it; the latter last, so that both are whole."""
    kept: list[int] = []
    marks_something, total = False, len(pairs.records)

    def small(record: Record) -> np.ndarray | None:
        pair = pairs.read(record)
        return (
            None
            if pair is None
            else np.dstack([resize_image(pair[0], *size), CELL_LEVEL * resize_mask(pair[1], *size)])
        )

    with CropWriter(path.with_suffix(".crops"), (*size, 4)) as writer:
        for row, crop in enumerate(read_ahead(small, pairs.records)):
            if crop is not None:
                writer.add(crop)
                kept.append(row)
                marks_something |= bool(crop[..., 3].any())
            on_progress(row + 1, total)
        if not kept:
            raise DatasetError(f"None of the {total} pictures of {pairs.images.path.name} can be read.")
        if not marks_something:
            raise ImageError("No mask marks a cell. Are `cell_values` those of the cell?")
    with open_atomic(path) as stream:
        np.savez(stream, kept=np.array(kept))


def resize_mask(mask: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Resize a mask, bool (H, W) -> uint8 (height_px, width_px) of 0 and 1; a pixel counts if half of it is marked."""
    shrinks = mask.shape[0] > height_px
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return (cv2.resize(mask.astype(np.float32), (width_px, height_px), interpolation=how) >= 0.5).astype(np.uint8)


def _assign_parts(spec: MasksSpec, data_dir: Path, records: list[Record], group: np.ndarray) -> tuple[np.ndarray, bool]:
    """ "train", "validation" or "" for not used, of each record; and whether the split is leaky."""
    split = read_source_split(spec.source, data_dir)
    if split is None:
        labels = np.array([record.label for record in records])
        held_out = draw_groups(labels, group, spec.held_share, spec.seed)
        return np.where(held_out, VALIDATION, TRAIN), False
    of_file = dict(zip(split.table["file"], split.table["split"], strict=True))
    parts = np.array([of_file.get(record.file, "") for record in records])
    if not {TRAIN, VALIDATION} <= set(parts.tolist()):
        raise DatasetError(
            f"The split of {spec.source.name} must have the parts {TRAIN} and {VALIDATION}."
            f" Found: {', '.join(split.parts)}."
        )
    return np.where(np.isin(parts, (TRAIN, VALIDATION)), parts, ""), split.leaky
