"""From images and their masks to the training samples of a U-Net: resized once and cached in a file."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.core.io import open_atomic
from bloodcell.core.progress import Control, OnProgress
from bloodcell.datasets.catalog.open_sources import open_source, read_source_split
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.sampling import sample_records
from bloodcell.datasets.masks.annotated_masks import AnnotatedMasks, find_annotated_masks
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.assignment import draw_groups
from bloodcell.datasets.splits.split import TRAIN, VALIDATION
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.threshold import mask_cell_by_otsu
from bloodcell.training.samples.crop_store import CropWriter, StoredCrops, read_ahead
from bloodcell.training.samples.cutting import read_record_image
from bloodcell.training.samples.source_cache import (
    hash_content,
    load_source_groups,
    make_safe_name,
    read_file_stamps,
    report_reading,
)
from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec

CACHE_VERSION = 1
CELL_LEVEL = 255  # in the fourth channel of a stored image


@dataclass(frozen=True)
class MaskSamples:
    """N images with the masks to train on.

    Attributes
    ----------
    pairs : StoredCrops of uint8, shape (N, height_px, width_px, 4)
        Red, green, blue, and `CELL_LEVEL` on the cell; read as they are drawn.
    group : ndarray of int64, shape (N,)
        Source cell; copies of one cell share it.
    held_out : ndarray of bool, shape (N,)
        Images to measure on.
    file : list of str
        N file names.
    left_out : int
        Images that could not be read, have no mask, or are in no part of the split.
    leaky : bool
        Whether the split has copies of one cell on both sides.
    """

    pairs: StoredCrops
    group: np.ndarray
    held_out: np.ndarray
    file: list[str]
    left_out: int
    leaky: bool


@dataclass(frozen=True)
class Pairs:
    """The images of a spec and where their masks come from, open for reading; use it in a `with` block.

    Attributes
    ----------
    images : Contents
        The open images.
    records : list of Record
        The images that have a mask, at most the spec's `limit`.
    n_images : int
        Images of the source, including those without a mask.
    drawn : AnnotatedMasks or None
        The drawn masks; None where Otsu's threshold makes them.
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
        """Read an image and its mask.

        Parameters
        ----------
        record : Record
            One of the images.

        Returns
        -------
        rgb : ndarray of uint8, shape (H, W, 3)
        mask : ndarray of bool, shape (H, W)
            In place of the pair None, if the image cannot be read.

        Raises
        ------
        DatasetError
            If the source has vanished.
        ImageError
            If a drawn mask is not a mask.
        """
        rgb = read_record_image(self.images, record)
        if rgb is None:
            return None
        return rgb, mask_cell_by_otsu(rgb) if self.drawn is None else self.drawn.read(record.file, rgb.shape[:2])

    def read_file_stamps(self) -> list[Any]:
        """Return the names, sizes and times of the mask files."""
        if self.drawn is None:
            return []
        mask_files = [self.drawn.masks.files[self.drawn.mask_by_image[record.file]] for record in self.records]
        return [(mask_file.file, mask_file.n_bytes, mask_file.stamp) for mask_file in mask_files]


def open_pairs(spec: MasksSpec, data_dir: Path) -> Pairs:
    """Open the images of a spec and find their masks.

    Parameters
    ----------
    spec : MasksSpec
        The source, and where its masks come from.
    data_dir : Path
        Folder that the source's path starts from.

    Returns
    -------
    Pairs
        To be closed by a `with` block.

    Raises
    ------
    DatasetError
        If the source is missing, or no image has a mask.
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
        sampled = sample_records(mask_records, spec.limit, spec.seed)
        mask_records = sorted(sampled, key=lambda record: record.file)[: spec.limit]
    return Pairs(images, mask_records, n_images, drawn)


def load_mask_samples(spec: MasksSpec, data_dir: Path, cache_dir: Path, control: Control) -> MaskSamples:
    """Read all images and masks of a spec, and decide which are held out.

    Parameters
    ----------
    spec : MasksSpec
        The source, the masks, and the input size.
    data_dir : Path
        Folder that the source's path starts from.
    cache_dir : Path
        Folder for the resized images; their key holds the files' names, sizes and times.
    control : Control
        Is told how many images are read, and may stop the reading.

    Returns
    -------
    MaskSamples

    Raises
    ------
    DatasetError
        If the source or its masks cannot be read, or its split does not fit.
    ImageError
        If no mask marks a cell.
    StoppedError
        If `control` stops the reading.
    """
    source, on_progress = spec.source, report_reading(control)
    with open_pairs(spec, data_dir) as pairs:
        size = (spec.height_px, spec.width_px)
        how = [CACHE_VERSION, size, spec.targets, list(spec.cell_values), source.layout, pairs.read_file_stamps()]
        files = [record.file for record in pairs.records]
        key = hash_content([how, read_file_stamps(source, data_dir, pairs.records), files])
        cached = cache_dir / f"masks-{make_safe_name(source.name)}-{key}.npz"
        if not cached.exists():
            _write_pairs(pairs, size, cached, partial(on_progress, source.name))
        with np.load(cached, allow_pickle=False) as index:
            record_rows = index["kept"]
        crops = StoredCrops([(cached.with_suffix(".crops"), len(record_rows))], (*size, 4))
        records = [pairs.records[row] for row in record_rows]
        group = load_source_groups(
            source, data_dir, pairs.images, records, cache_dir, partial(on_progress, f"{source.name}: copies")
        )
    part, leaky = _assign_parts(spec, data_dir, records, group)
    used = np.flatnonzero(part != "")
    left_out = (pairs.n_images if not spec.limit else len(pairs.records)) - len(used)
    names = [records[row].file for row in used]
    return MaskSamples(crops.take(used), group[used], part[used] == VALIDATION, names, left_out, leaky)


def _write_pairs(pairs: Pairs, size: tuple[int, int], path: Path, on_progress: OnProgress) -> None:
    """Write resized images and masks to a file, and their index beside it; the index last, so that both are whole."""
    record_rows: list[int] = []
    marks_something, total = False, len(pairs.records)

    def resize_pair(record: Record) -> np.ndarray | None:
        pair = pairs.read(record)
        if pair is None:
            return None
        rgb, mask = pair
        return np.dstack([resize_image(rgb, *size), CELL_LEVEL * resize_mask(mask, *size)])

    with CropWriter(path.with_suffix(".crops"), (*size, 4)) as writer:
        for row, crop in enumerate(read_ahead(resize_pair, pairs.records)):
            if crop is not None:
                writer.add(crop)
                record_rows.append(row)
                marks_something |= bool(crop[..., 3].any())
            on_progress(row + 1, total)
        if not record_rows:
            raise DatasetError(f"None of the {total} images of {pairs.images.path.name} can be read.")
        if not marks_something:
            raise ImageError("No mask marks a cell. Are `cell_values` those of the cell?")
    with open_atomic(path) as stream:
        np.savez(stream, kept=np.array(record_rows))


def resize_mask(mask: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Resize a mask; a pixel of the result is marked if at least half of it is covered.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
    height_px, width_px : int
        Size of the result.

    Returns
    -------
    ndarray of uint8, shape (height_px, width_px)
        0 and 1.

    Examples
    --------
    >>> mask = np.array([[True, True, False, True], [True, True, False, False]])
    >>> resize_mask(mask, 1, 2).tolist()
    [[1, 0]]
    """
    interpolation = cv2.INTER_AREA if mask.shape[0] > height_px else cv2.INTER_LINEAR
    resized = cv2.resize(mask.astype(np.float32), (width_px, height_px), interpolation=interpolation)
    return (resized >= 0.5).astype(np.uint8)


def _assign_parts(spec: MasksSpec, data_dir: Path, records: list[Record], group: np.ndarray) -> tuple[np.ndarray, bool]:
    """Assign each record to "train", "validation" or "" for not used, and return whether the split is leaky."""
    split = read_source_split(spec.source, data_dir)
    if split is None:
        labels = np.array([record.label for record in records])
        held_out = draw_groups(labels, group, spec.held_share, spec.seed)
        return np.where(held_out, VALIDATION, TRAIN), False
    part_of_file = dict(zip(split.table["file"], split.table["split"], strict=True))
    parts = np.array([part_of_file.get(record.file, "") for record in records])
    if not {TRAIN, VALIDATION} <= set(parts.tolist()):
        raise DatasetError(
            f"The split of {spec.source.name} must have the parts {TRAIN} and {VALIDATION}."
            f" Found: {', '.join(split.parts)}."
        )
    return np.where(np.isin(parts, (TRAIN, VALIDATION)), parts, ""), split.leaky
