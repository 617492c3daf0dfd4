"""True masks that lie beside the images of a labelled set.

A mask has the name of its image except for the suffix, and lies in the same folder (`images/001.bmp`, `images/001.png`)
or in a folder `masks` or `mask` that takes the place of one part of the image's path or is added to it
(`images/001.png` and `masks/001.png`; `EOSINOPHIL/1.jpg` and `masks/EOSINOPHIL/1.png` or `EOSINOPHIL/masks/1.png`).
Whether it is a mask is decided by its pixels (`segment.decode_true_mask`), not by its name.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, get_suffix
from bloodcell.imaging.read import read_rgb
from bloodcell.imaging.segment import TrueMask, decode_true_mask

MASK_FOLDERS = ("masks", "mask")


def pair_masks(images: Contents, records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    """Find the true masks of labelled images, and remove masks from the list of images.

    Parameters
    ----------
    images : Contents
        Where the files are.
    records : sequence of Record
        The labelled images; a folder that holds images and their masks lists both.

    Returns
    -------
    records : list of Record
        Those that are images, in the same order.
    mask_by_image : dict of str to str
        File of an image -> file of its mask, for images that have one.

    Raises
    ------
    DatasetError
        If nothing but masks is left.
    """
    by_place: dict[tuple[str, ...], list[str]] = {}
    for file in sorted(images.files):
        if get_suffix(file) in IMAGE_SUFFIXES:
            by_place.setdefault(_make_place(file), []).append(file)
    is_mask_by_file: dict[str, bool] = {}
    mask_by_image: dict[str, str] = {}
    for record in records:
        candidates = [file for place in _list_mask_places(record.file) for file in by_place.get(place, ())]
        for file in candidates:
            if file != record.file and _is_mask(images, file, is_mask_by_file) and not is_mask_by_file.get(record.file):
                mask_by_image[record.file] = file
                break
    masks = set(mask_by_image.values())
    image_records = [record for record in records if record.file not in masks]
    if records and not image_records:
        raise DatasetError(f"{images.path.name} has masks but no images that they belong to.")
    return image_records, {
        record.file: mask_by_image[record.file] for record in image_records if record.file in mask_by_image
    }


def read_true_mask(images: Contents, file: str, shape: tuple[int, int]) -> TrueMask:
    """Read a mask and check its size.

    Parameters
    ----------
    images : Contents
        Where the file is.
    file : str
        The mask.
    shape : tuple of 2 int
        Height and width of the image in pixels.

    Returns
    -------
    TrueMask

    Raises
    ------
    ImageError
        If it is not a mask, or has another size than its image.
    """
    mask = decode_true_mask(read_rgb(images.read(file)))
    if mask.cell.shape != shape:
        raise ImageError(f"The mask {file} must have the size of its image, {shape}. Received: {mask.cell.shape}.")
    return mask


def _is_mask(images: Contents, file: str, is_mask_by_file: dict[str, bool]) -> bool:
    if file not in is_mask_by_file:
        try:
            decode_true_mask(read_rgb(images.read(file)))
            is_mask_by_file[file] = True
        except (ImageError, DatasetError):
            is_mask_by_file[file] = False
    return is_mask_by_file[file]


def _make_place(file: str) -> tuple[str, ...]:
    path = PurePosixPath(file)
    return (*path.parent.parts, path.stem)


def _list_mask_places(file: str) -> list[tuple[str, ...]]:
    """List where the mask of an image may lie: folders and stem, the image's own folder first."""
    *folders, stem = _make_place(file)
    places = [(*folders, stem)]
    for name in MASK_FOLDERS:
        places += [(*folders[:depth], name, *folders[depth + 1 :], stem) for depth in range(len(folders))]
        places += [(*folders[:depth], name, *folders[depth:], stem) for depth in range(len(folders) + 1)]
    return places
