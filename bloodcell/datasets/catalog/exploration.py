"""Explore a labelled set: headers of all images; of a sample, grey levels, images to show and segmentation methods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from bloodcell.core.errors import BloodcellError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.masks.true_masks import read_true_mask
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.gray_levels import GrayLevels, count_gray_levels
from bloodcell.imaging.read import read_image_header, read_rgb
from bloodcell.imaging.segment import METHODS, dice, segment_cell
from bloodcell.imaging.stain import mask_lit_pixels

Problems = list[tuple[str, str]]

SURVEY_COLUMNS: Final = ("file", "label", "format", "height_px", "width_px", "problem")
COMPARISON_COLUMNS: Final = ("method", "label", "file", "area_px", "area_share", "dice_nucleus", "dice_cell")


@dataclass(frozen=True)
class SampledLevels:
    """Grey levels of the images of a sample.

    Attributes
    ----------
    records : list of Record
        The images that could be read.
    levels : list of GrayLevels
        Grey levels of each, in the same order.
    problems : list of (str, str)
        File and reason of each image that could not be read.
    """

    records: list[Record]
    levels: list[GrayLevels]
    problems: Problems

    @property
    def labels(self) -> list[str]:
        """Label of each image."""
        return [record.label for record in self.records]


@dataclass(frozen=True)
class Comparison:
    """Segmentation methods, compared on a sample.

    Attributes
    ----------
    table : DataFrame
        One row for each image and method; the columns of `COMPARISON_COLUMNS`. area_px is int; area_share (0 to 1) does not
        count black borders; dice_nucleus and dice_cell are NaN where there is no true mask.
    n_images : int
        Images in the table.
    n_masks : int
        Images with a true mask.
    problems : list of (str, str)
        File and reason of each image or mask that could not be used.
    """

    table: pd.DataFrame
    n_images: int
    n_masks: int
    problems: Problems


def survey_images(images: Contents, records: Sequence[Record], on_progress: OnProgress | None = None) -> pd.DataFrame:
    """Read the header of every image; no image is decoded, and only one file is in memory at a time.

    Damage after the header is therefore not noticed here.

    Parameters
    ----------
    images : Contents
        Where the files are.
    records : sequence of Record
        The labelled images.
    on_progress : callable, optional
        Called with (done, total) after every image.

    Returns
    -------
    DataFrame
        One row for each image in the order of `records`: file, label, format (JPEG, PNG, BMP, TIFF), height_px, width_px
        (as shown, EXIF applied), problem. If the header cannot be used, problem says why, format is "" and the sizes
        are 0; else problem is "".
    """
    rows: list[tuple[str, str, str, int, int, str]] = []
    for done, record in enumerate(records, 1):
        try:
            rows.append((record.file, record.label, *read_image_header(images.read(record.file)), ""))
        except BloodcellError as error:
            rows.append((record.file, record.label, "", 0, 0, str(error)))
        if on_progress is not None:
            on_progress(done, len(records))
    return pd.DataFrame(rows, columns=list(SURVEY_COLUMNS))


def measure_sample_levels(
    images: Contents, sample: Sequence[Record], on_progress: OnProgress | None = None
) -> SampledLevels:
    """Count the grey levels of every image of a sample; one image at a time is in memory.

    Parameters
    ----------
    images : Contents
        Where the images are.
    sample : sequence of Record
        From `sampling.sample_records`, or all records of a small set.
    on_progress : callable, optional
        Called with (done, total) after every image.

    Returns
    -------
    SampledLevels
    """
    read, levels, problems = [], [], []
    for done, record in enumerate(sample, 1):
        try:
            levels.append(count_gray_levels(read_rgb(images.read(record.file))))
            read.append(record)
        except BloodcellError as error:
            problems.append((record.file, str(error)))
        if on_progress is not None:
            on_progress(done, len(sample))
    return SampledLevels(read, levels, problems)


def compare_methods(
    images: Contents,
    sample: Sequence[Record],
    mask_by_image: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Segment every image of a sample by every method, and compare with its true mask if it has one.

    Parameters
    ----------
    images : Contents
        Where the images are.
    sample : sequence of Record
        From `sampling.sample_records`, or all records of a small set.
    mask_by_image : mapping of str to str, optional
        File of an image -> file of its true mask, as `true_masks.pair_masks` returns it.
    on_progress : callable, optional
        Called with (done, total) after every image.

    Returns
    -------
    Comparison
        An image whose mask cannot be used is compared by area only, and is among the problems.
    """
    rows: list[tuple[str, str, str, int, float, float, float]] = []
    problems: Problems = []
    n_images = n_masks = 0
    for done, record in enumerate(sample, 1):
        try:
            rgb = read_rgb(images.read(record.file))
        except BloodcellError as error:
            problems.append((record.file, str(error)))
        else:
            truth = None
            if mask_by_image and record.file in mask_by_image:
                try:
                    truth = read_true_mask(images, mask_by_image[record.file], (rgb.shape[0], rgb.shape[1]))
                except BloodcellError as error:
                    problems.append((record.file, str(error)))
            n_images += 1
            n_masks += truth is not None
            n_lit = max(int(mask_lit_pixels(rgb).sum()), 1)
            for method, mask in segment_cell(rgb).items():
                area_px = int(mask.sum())
                dice_nucleus = dice(mask, truth.nucleus) if truth and truth.nucleus is not None else float("nan")
                dice_cell = dice(mask, truth.cell) if truth else float("nan")
                rows.append((method, record.label, record.file, area_px, area_px / n_lit, dice_nucleus, dice_cell))
        if on_progress is not None:
            on_progress(done, len(sample))
    return Comparison(pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS)), n_images, n_masks, problems)


def iterate_example_images(
    images: Contents, sample: Sequence[Record], n_per_class: int
) -> Iterator[tuple[Record, np.ndarray]]:
    """Yield the first readable images of each class, one at a time; within a class, a sample's order is random.

    Parameters
    ----------
    images : Contents
        Where the images are.
    sample : sequence of Record
        From `sampling.sample_records`.
    n_per_class : int
        Images of each class at most.

    Yields
    ------
    record : Record
        In the order of the sample.
    rgb : ndarray of uint8, shape (H, W, 3)
    """
    n_by_class: dict[str, int] = {}
    for record in sample:
        if n_by_class.get(record.label, 0) < n_per_class:
            try:
                rgb = read_rgb(images.read(record.file))
            except BloodcellError:
                continue  # it is among the problems of `measure_sample_levels`
            n_by_class[record.label] = n_by_class.get(record.label, 0) + 1
            yield record, rgb


def summarise_methods(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise `Comparison.table` by method.

    Returns
    -------
    DataFrame
        With the methods as index, in the order of `METHODS`, and the columns n_images; area_median, area_low,
        area_high (median and quartiles of the share of the image, 0 to 1); dice_nucleus, dice_cell (means, NaN without
        true masks).
    """
    by_method = table.groupby("method", sort=False)
    area = by_method["area_share"]
    summed = pd.DataFrame(
        {
            "n_images": area.size(),
            "area_median": area.median(),
            "area_low": area.quantile(0.25),
            "area_high": area.quantile(0.75),
            "dice_nucleus": by_method["dice_nucleus"].mean(),
            "dice_cell": by_method["dice_cell"].mean(),
        }
    )
    return summed.reindex([method for method in METHODS if method in summed.index])
