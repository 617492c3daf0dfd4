"""Pictures of true masks that lie beside the images of a labelled set.

A mask has the name of its image but for the ending, and lies in the same folder (`images/001.bmp`, `images/001.png`)
or in a folder `masks` or `mask` that takes the place of one part of the image's path or is added to it
(`images/001.png` and `masks/001.png`; `EOSINOPHIL/1.jpg` and `masks/EOSINOPHIL/1.png` or `EOSINOPHIL/masks/1.png`).
Whether it is a mask is told by its pixels (`segment.true_mask`), not by its name.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.labels.layouts import suffix_of
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.sources.uploads import PICTURE_SUFFIXES
from bloodcell.imaging.read import read_rgb
from bloodcell.imaging.segment import TrueMask, true_mask

FOLDERS = ("masks", "mask")


def pair_masks(images: Contents, records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    """Find the true masks of labelled images, and take masks out of the list of images.

    Parameters
    ----------
    images : where the files are
    records : the labelled images; a folder that holds images and their masks lists both

    Returns
    -------
    records : those that are images, in the same order
    mask_of : dict, file of an image -> file of its mask; images without one are not in it

    Raises
    ------
    DatasetError
        If nothing but masks is left.
    """
    by_place: dict[tuple[str, ...], list[str]] = {}
    for file in sorted(images.files):
        if suffix_of(file) in PICTURE_SUFFIXES:
            by_place.setdefault(_place(file), []).append(file)
    looked_at: dict[str, bool] = {}
    mask_of: dict[str, str] = {}
    for record in records:
        candidates = [file for place in _places_of_mask(record.file) for file in by_place.get(place, ())]
        for file in candidates:
            if file != record.file and _is_mask(images, file, looked_at) and not looked_at.get(record.file):
                mask_of[record.file] = file
                break
    masks = set(mask_of.values())
    kept = [record for record in records if record.file not in masks]
    if records and not kept:
        raise DatasetError(f"{images.path.name} holds masks but no image that they belong to.")
    return kept, {record.file: mask_of[record.file] for record in kept if record.file in mask_of}


def read_true_mask(images: Contents, file: str, shape: tuple[int, int]) -> TrueMask:
    """Read a mask and hold it against its image.

    Parameters
    ----------
    shape : (height, width) in pixels of the image

    Raises
    ------
    ImageError
        If it is no mask, or of another size than its image.
    """
    mask = true_mask(read_rgb(images.read(file)))
    if mask.cell.shape != shape:
        raise ImageError(f"The mask {file} must have the size of its image, {shape}. Received: {mask.cell.shape}.")
    return mask


def _is_mask(images: Contents, file: str, looked_at: dict[str, bool]) -> bool:
    if file not in looked_at:
        try:
            true_mask(read_rgb(images.read(file)))
            looked_at[file] = True
        except (ImageError, DatasetError):
            looked_at[file] = False
    return looked_at[file]


def _place(file: str) -> tuple[str, ...]:
    path = PurePosixPath(file)
    return (*path.parent.parts, path.stem)


def _places_of_mask(file: str) -> list[tuple[str, ...]]:
    """Where the mask of an image may lie: folders and stem, the image's own folder first."""
    *folders, stem = _place(file)
    places = [(*folders, stem)]
    for name in FOLDERS:
        places += [(*folders[:at], name, *folders[at + 1 :], stem) for at in range(len(folders))]
        places += [(*folders[:at], name, *folders[at:], stem) for at in range(len(folders) + 1)]
    return places
