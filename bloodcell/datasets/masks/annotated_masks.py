"""Masks of cells that people drew: which file is the mask of which image, and which of its values mean the cell."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from bloodcell.core.errors import DatasetError, ImageError
from bloodcell.datasets.labels.layouts import get_suffix
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES
from bloodcell.imaging.read import read_rgb

STEM, FOLDER = "{stem}", "{folder}"
# A drawn mask has few values; a photograph, or a mask saved as JPEG, has many.
MAX_VALUES: Final = 16


@dataclass(frozen=True)
class AnnotatedMasks:
    """The masks of images.

    masks : where the mask files are
    file_of : file of an image -> file of its mask
    values : levels that mean the cell; () for all above 0
    """

    masks: Contents
    mask_by_image: dict[str, str]
    values: tuple[int, ...] = ()

    def read(self, file: str, shape: tuple[int, int]) -> np.ndarray:
        """Read the mask of an image.

        Parameters
        ----------
        file : of the image
        shape : (height, width) in pixels of the image

        Returns
        -------
        bool array of shape (height, width), True on the cell; all False where none was marked

        Raises
        ------
        DatasetError, ImageError
            If it cannot be read, is of another size than its image, in colour, or no mask.
        """
        name = self.mask_by_image[file]
        rgb = read_rgb(self.masks.read(name))
        if rgb.shape[:2] != shape:
            raise ImageError(f"The mask {name} must have the size of its image, {shape}. Received: {rgb.shape[:2]}.")
        if not (rgb == rgb[..., :1]).all():
            raise ImageError(f"A mask must be gray. Received: {name} in colour.")
        levels = rgb[..., 0]
        n_values = len(np.unique(levels))
        if n_values > MAX_VALUES:
            raise ImageError(f"A mask must have at most {MAX_VALUES} gray values. Received: {name} with {n_values}.")
        return np.isin(levels, self.values) if self.values else levels > 0


def find_annotated_masks(
    images: Contents, records: Sequence[Record], where: str, values: tuple[int, ...] = ()
) -> tuple[list[Record], AnnotatedMasks]:
    """Find the mask of each image.

    Parameters
    ----------
    images : where the images are
    records : labelled images; masks among them are taken out
    where : "" for masks that lie beside the images as `true_masks` tells; else a folder of masks with the names of
        their images but for the ending, or a pattern such as "masks/{folder}/{stem}_mask.png" of an image's folder and
        of its name without the ending. It starts from the folder or zip of the images, or is an absolute path
    values : as of DrawnMasks

    Returns
    -------
    the images, with a mask or without, in their order, and the masks

    Raises
    ------
    DatasetError
        If no image has a mask, one could have several, or one mask would serve several images.
    """
    masks = images
    pictures, mask_by_image = pair_masks(images, records)
    if where:
        masks, pattern = _open_masks(images, where)
        mask_by_image = _match_by_pattern(masks, pattern, pictures, is_same_place=masks is images)
    if not mask_by_image:
        place = f"in {where}" if where else "beside the images: same name, or in a folder masks"
        raise DatasetError(f"None of the {len(pictures)} images has a mask {place}.")
    return pictures, AnnotatedMasks(masks, mask_by_image, values)


def _open_masks(images: Contents, where: str) -> tuple[Contents, str]:
    """Where the masks lie and the pattern from there on."""
    pattern = where if STEM in where else f"{where.rstrip('/')}/"
    if not os.path.isabs(where):
        return images, str(PurePosixPath(pattern)) + ("/" if pattern.endswith("/") else "")
    fixed = pattern[: pattern.index("{")] if "{" in pattern else pattern
    folder = fixed[: fixed.rindex("/")]
    return Contents(Path(folder or "/")), pattern[len(folder) + 1 :]


def _match_by_pattern(masks: Contents, pattern: str, records: Sequence[Record], is_same_place: bool) -> dict[str, str]:
    pictures = {file for file in masks.files if get_suffix(file) in IMAGE_SUFFIXES}
    by_stem: dict[str, list[str]] = {}
    for file in sorted(pictures):
        by_stem.setdefault(_strip_suffix(file), []).append(file)
    mask_by_image: dict[str, str] = {}
    for record in records:
        found = _find_candidates(record.file, pattern, pictures, by_stem)
        if is_same_place:  # elsewhere a mask may have the very name of its image
            found = [file for file in found if file != record.file]
        if len(found) > 1:
            raise DatasetError(f"{record.file} could have several masks: {', '.join(found[:3])}. Give a pattern.")
        if found:
            mask_by_image[record.file] = found[0]
    image_of: dict[str, str] = {}
    for image, mask in mask_by_image.items():
        if image_of.setdefault(mask, image) != image:
            raise DatasetError(
                f"{mask} would be the mask of {image_of[mask]} and of {image}: give a pattern with {FOLDER}."
            )
    return mask_by_image


def _find_candidates(image: str, pattern: str, pictures: set[str], by_stem: dict[str, list[str]]) -> list[str]:
    folder, stem = str(PurePosixPath(image).parent), PurePosixPath(image).stem
    if STEM in pattern:
        names = {FOLDER: folder if folder != "." else "", STEM: stem}
        file = re.sub(r"\{folder\}|\{stem\}", lambda found: names[found.group()], pattern)
        file = str(PurePosixPath(file))
        return [file] if file in pictures else []
    root = PurePosixPath(pattern)
    for place in dict.fromkeys((str(root / folder / stem), str(root / stem))):
        if found := by_stem.get(place):
            return found
    return []


def _strip_suffix(file: str) -> str:
    path = PurePosixPath(file)
    return str(path.parent / path.stem)
