"""Masks of cells drawn by people: which file is the mask of which image, and which of its values mean the cell."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, get_suffix
from bloodcell.imaging.read import read_rgb

STEM, FOLDER = "{stem}", "{folder}"
# A drawn mask has few values; a photograph, or a mask saved as JPEG, has many.
MAX_VALUES: Final = 16


@dataclass(frozen=True)
class AnnotatedMasks:
    """The masks of images.

    Attributes
    ----------
    masks : Contents
        Where the mask files are.
    mask_by_image : dict of str to str
        File of an image -> file of its mask.
    values : tuple of int, default ()
        Values that mean the cell; () for all above 0.
    """

    masks: Contents
    mask_by_image: dict[str, str]
    values: tuple[int, ...] = ()

    def read(self, file: str, shape: tuple[int, int]) -> np.ndarray:
        """Read the mask of an image.

        Parameters
        ----------
        file : str
            File of the image.
        shape : tuple of 2 int
            Height and width of the image in pixels.

        Returns
        -------
        ndarray of bool, shape (height, width)
            True on the cell; all False if none was marked.

        Raises
        ------
        DatasetError, ImageError
            If it cannot be read, has another size than its image, is in colour, or is not a mask.
        """
        name = self.mask_by_image[file]
        rgb = read_rgb(self.masks.read(name))
        if rgb.shape[:2] != shape:
            raise ImageError(f"The mask {name} must have the size of its image, {shape}. Received: {rgb.shape[:2]}.")
        if not (rgb == rgb[..., :1]).all():
            raise ImageError(f"A mask must be grey. Received: {name} in colour.")
        levels = rgb[..., 0]
        n_values = len(np.unique(levels))
        if n_values > MAX_VALUES:
            raise ImageError(f"A mask must have at most {MAX_VALUES} grey values. Received: {name} with {n_values}.")
        return np.isin(levels, self.values) if self.values else levels > 0


def find_annotated_masks(
    images: Contents, records: Sequence[Record], where: str, values: tuple[int, ...] = ()
) -> tuple[list[Record], AnnotatedMasks]:
    """Find the mask of each image.

    Parameters
    ----------
    images : Contents
        Where the images are.
    records : sequence of Record
        Labelled images; masks among them are removed.
    where : str
        "" for masks that lie beside the images as described in `true_masks`; else a folder of masks with the names of
        their images except for the suffix, or a pattern such as "masks/{folder}/{stem}_mask.png" of an image's folder
        and its name without the suffix. It starts from the folder or zip of the images, or is an absolute path.
    values : tuple of int, default ()
        See `AnnotatedMasks`.

    Returns
    -------
    records : list of Record
        The images, with or without a mask, in their order.
    masks : AnnotatedMasks

    Raises
    ------
    DatasetError
        If no image has a mask, one could have several, or one mask would serve several images.
    """
    masks = images
    image_records, mask_by_image = pair_masks(images, records)
    if where:
        masks, pattern = _open_masks(images, where)
        mask_by_image = _match_by_pattern(masks, pattern, image_records, is_same_place=masks is images)
    if not mask_by_image:
        place = f"in {where}" if where else "beside it, by the same name, or in a folder named masks"
        raise DatasetError(f"At least one image must have a mask {place}. Received: none.")
    return image_records, AnnotatedMasks(masks, mask_by_image, values)


def _open_masks(images: Contents, where: str) -> tuple[Contents, str]:
    """Return where the masks lie and the pattern from there on."""
    pattern = where if STEM in where else f"{where.rstrip('/')}/"
    if not Path(where).is_absolute():
        return images, str(PurePosixPath(pattern)) + ("/" if pattern.endswith("/") else "")
    fixed = pattern[: pattern.index("{")] if "{" in pattern else pattern
    folder = fixed[: fixed.rindex("/")]
    return Contents(Path(folder or "/")), pattern[len(folder) + 1 :]


def _match_by_pattern(masks: Contents, pattern: str, records: Sequence[Record], is_same_place: bool) -> dict[str, str]:
    image_files = {file for file in masks.files if get_suffix(file) in IMAGE_SUFFIXES}
    by_stem: dict[str, list[str]] = {}
    for file in sorted(image_files):
        by_stem.setdefault(_strip_suffix(file), []).append(file)
    mask_by_image: dict[str, str] = {}
    for record in records:
        candidates = _find_candidates(record.file, pattern, image_files, by_stem)
        if is_same_place:  # elsewhere a mask may have the very name of its image
            candidates = [file for file in candidates if file != record.file]
        if len(candidates) > 1:
            raise DatasetError(
                f"{record.file} could have several masks: {', '.join(candidates[:3])}. Choose them with a pattern."
            )
        if candidates:
            mask_by_image[record.file] = candidates[0]
    image_of: dict[str, str] = {}
    for image, mask in mask_by_image.items():
        if image_of.setdefault(mask, image) != image:
            raise DatasetError(
                f"{mask} would be the mask of both {image_of[mask]} and {image}. Use a pattern with {FOLDER}."
            )
    return mask_by_image


def _find_candidates(image: str, pattern: str, image_files: set[str], by_stem: dict[str, list[str]]) -> list[str]:
    folder, stem = str(PurePosixPath(image).parent), PurePosixPath(image).stem
    if STEM in pattern:
        names = {FOLDER: folder if folder != "." else "", STEM: stem}
        file = re.sub(r"\{folder\}|\{stem\}", lambda match: names[match.group()], pattern)
        file = str(PurePosixPath(file))
        return [file] if file in image_files else []
    root = PurePosixPath(pattern)
    for place in dict.fromkeys((str(root / folder / stem), str(root / stem))):
        if files := by_stem.get(place):
            return files
    return []


def _strip_suffix(file: str) -> str:
    path = PurePosixPath(file)
    return str(path.parent / path.stem)
