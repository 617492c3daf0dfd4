"""The report on a labelled set: what it holds, how it looks, its gray levels, and segmentation methods compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from bloodcell.core.text import inflect_noun
from bloodcell.datasets.catalog.exploration import Comparison, SampledLevels, summarise_methods
from bloodcell.imaging.gray_levels import summarise_levels_by_class
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, TrueMask, dice, measure_area_share, segment_cell
from bloodcell.imaging.threshold import PRESETS
from bloodcell.plots import dataset, gray_levels, segmentation, theme
from bloodcell.plots.cell_images import draw_outline, fit_inside, render_gray
from bloodcell.reports.document import (
    Block,
    Chart,
    Document,
    Facts,
    Heading,
    Images,
    Paragraph,
    Section,
    Table,
    Thumbnail,
)
from bloodcell.reports.numbers import format_count

N_PER_CLASS: Final = 8  # images of each class in the grid
TILE_PX: Final = 180
EXAMPLE_PX: Final = 240
MAX_EXAMPLES: Final = 12  # classes of which one image is segmented by every method
MAX_PROBLEMS: Final = 50
SMALL_CLASS: Final = 30  # images; fewer say little about a class


@dataclass(frozen=True)
class Tile:
    """One image of the random grid.

    Attributes
    ----------
    file, label : str
    colour, gray : bytes
        JPEG.
    """

    file: str
    label: str
    colour: bytes
    gray: bytes


@dataclass(frozen=True)
class Example:
    """One image segmented by every method.

    Attributes
    ----------
    file, label : str
    thumbnails : tuple of Thumbnail
        The image, its true mask if there is one, and the outline of each method.
    """

    file: str
    label: str
    thumbnails: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class Exploration:
    """What the report is about.

    Attributes
    ----------
    name : str
        Of the folder or zip.
    table : DataFrame
        `datasets.catalog.exploration.survey_images` of all images.
    n_sample, seed : int
        What was asked of the sample.
    levels, comparison : SampledLevels, Comparison
        Of the sample.
    tiles, examples : sequence of Tile, sequence of Example
        Images to show.
    n_masks : int
        Images of the whole set with a true mask.
    unlisted : sequence of (str, str), default ()
        File and problem of those that are no labelled image.
    """

    name: str
    table: pd.DataFrame
    n_sample: int
    seed: int
    levels: SampledLevels
    comparison: Comparison
    tiles: Sequence[Tile]
    examples: Sequence[Example]
    n_masks: int
    unlisted: Sequence[tuple[str, str]] = ()


def make_tile(file: str, label: str, rgb: np.ndarray) -> Tile:
    """Make the tile of an image; `rgb` is an ndarray of uint8, shape (H, W, 3)."""
    small = fit_inside(rgb, TILE_PX)[0]
    return Tile(file, label, encode_jpeg(small, 85), encode_jpeg(render_gray(small), 85))


def make_example(file: str, label: str, rgb: np.ndarray, truth: TrueMask | None) -> Example:
    """Outline what every method marks in an image.

    Parameters
    ----------
    file, label : str
    rgb : ndarray of uint8, shape (H, W, 3)
    truth : TrueMask or None
        It is outlined too, and Dice's coefficient is given for each method.

    Returns
    -------
    Example
    """
    thumbnails = [_make_thumbnail(rgb, f"{file}: the image", "Image")]
    if truth is not None:
        outlined = draw_outline(rgb, truth.cell, EXAMPLE_PX)
        thumbnails.append(_make_thumbnail(outlined, f"{file}: true mask", "True mask"))
    for method, mask in segment_cell(rgb).items():
        caption = f"{METHODS[method]}: {100 * measure_area_share(mask, rgb):.1f} %"
        if truth is not None:
            nucleus_score = "" if truth.nucleus is None else f"nucleus {dice(mask, truth.nucleus):.2f}, "
            caption += f"; Dice {nucleus_score}cell {dice(mask, truth.cell):.2f}"
        outlined = draw_outline(rgb, mask, EXAMPLE_PX)
        thumbnails.append(_make_thumbnail(outlined, f"{file}: {METHODS[method]}", caption))
    return Example(file, label, tuple(thumbnails))


def _make_thumbnail(rgb: np.ndarray, name: str, caption: str) -> Thumbnail:
    return Thumbnail(encode_jpeg(fit_inside(rgb, EXAMPLE_PX, EXAMPLE_PX)[0], 85), name, caption)


def build_exploration_document(content: Exploration) -> Document:
    """Build the report on a labelled set."""
    n_read = len(content.levels.records)
    sampled = (
        f"all {n_read:,} images"
        if n_read == len(content.table)
        else f"a random sample of {n_read:,} of {len(content.table):,} images, spread evenly over the classes "
        f"(seed {content.seed})"
    )
    return Document(
        f"Images in {content.name}",
        "Counts, sizes and formats are of all images, read from their headers. Gray levels, example images and areas are"
        f" of {sampled}. Made by Bloodcell. For research and teaching. Not a medical device.",
        [
            Section("Overview", _build_overview(content)),
            Section("Classes", _build_classes(content)),
            Section("Sizes and formats", _build_sizes(content)),
            Section("Example images", _build_images(content)),
            Section("Gray levels", _build_gray_levels(content, sampled)),
            Section("Segmentation", _build_segmentation(content)),
        ],
        footer=f"Images in {content.name}",
    )


def _build_overview(content: Exploration) -> list[Block]:
    table = content.table
    n_images, n_classes, n_examined = len(table), table["label"].nunique(), len(content.levels.records)
    listed = [(row.file, row.problem) for row in table.itertuples() if row.problem]
    problems = sorted({*listed, *content.unlisted, *content.levels.problems, *content.comparison.problems})
    blocks: list[Block] = [
        Facts(
            [
                (f"{n_images:,}", inflect_noun(n_images, "image")),
                (f"{n_classes:,}", inflect_noun(n_classes, "class", "classes")),
                (f"{n_examined:,}", "examined closely"),
                (f"{content.n_masks:,}", "with a true mask"),
                (f"{len(problems):,}", inflect_noun(len(problems), "problem")),
            ]
        )
    ]
    if not problems:
        unseen = " Of the images not examined closely only the header was read, so damage behind it would not show."
        return [*blocks, Paragraph("No problem was found." + unseen * (n_examined < n_images))]
    blocks += [Heading("Problems"), Table(("File", "Problem"), problems[:MAX_PROBLEMS], n_text=2)]
    if len(problems) > MAX_PROBLEMS:
        blocks.append(Paragraph(f"And {len(problems) - MAX_PROBLEMS:,} more.", is_note=True))
    note = "Damage behind the header is found only in images that were examined closely."
    return [*blocks, Paragraph(note, is_note=True)]


def _build_classes(content: Exploration) -> list[Block]:
    counts = content.table["label"].value_counts().sort_index()
    by_class = {str(name): int(n) for name, n in counts.items()}
    blocks: list[Block] = [Chart("class-balance", partial(dataset.plot_class_balance, by_class))]
    if len(counts) > 1:
        ratio = counts.max() / counts.min()
        balance = f"The largest class has {ratio:.1f} times as many images as the smallest."
        blocks.append(Paragraph(balance if ratio >= 1.1 else "All classes have about the same number of images."))
    small = [theme.format_label(name) for name, n in by_class.items() if n < SMALL_CLASS]
    if small:
        blocks.append(Paragraph(f"Fewer than {SMALL_CLASS} images: {', '.join(small)}."))
    note = "Every image counts, and so do copies of one cell that were rotated or flipped."
    return [*blocks, Paragraph(note, is_note=True)]


def _build_sizes(content: Exploration) -> list[Block]:
    known = content.table[content.table["format"] != ""]
    sizes = known.groupby(["width_px", "height_px"]).size()
    formats = known["format"].value_counts()
    blocks: list[Block] = []
    if len(formats) == 1 and len(known) == len(content.table):
        blocks.append(Paragraph(f"All files are {formats.index[0]}."))
    else:
        blocks.append(Chart("formats", partial(dataset.plot_formats, content.table)))
    if len(sizes) == 1:
        width, height = sizes.index[0]
        blocks.append(Paragraph(f"All readable images are {width} × {height} pixels (width × height)."))
    elif len(sizes):
        blocks.append(Chart("image-sizes", partial(dataset.plot_image_sizes, content.table)))
    return blocks


def _build_images(content: Exploration) -> list[Block]:
    blocks: list[Block] = [Paragraph(f"Up to {N_PER_CLASS} random images of each class, in colour and in gray.")]
    for label in sorted({tile.label for tile in content.tiles}):
        tiles = [tile for tile in content.tiles if tile.label == label]
        blocks.append(Heading(theme.format_label(label)))
        blocks.append(Images([Thumbnail(tile.colour, tile.file) for tile in tiles], N_PER_CLASS))
        blocks.append(Images([Thumbnail(tile.gray, f"{tile.file}, gray") for tile in tiles], N_PER_CLASS))
    return blocks


def _build_gray_levels(content: Exploration, sampled: str) -> list[Block]:
    images, labels, records = content.levels.levels, content.levels.labels, content.levels.records
    statistics = summarise_levels_by_class(images, labels)
    shown = {tile.file for tile in content.tiles}
    rows = [row for row, record in enumerate(records) if record.file in shown]
    plot_shown = partial(
        gray_levels.plot_images_by_class,
        [images[row] for row in rows],
        [labels[row] for row in rows],
        [records[row].file for row in rows],
    )
    rows_by_class: list[list[str | int]] = [
        [
            theme.format_label(name),
            each.n_images,
            f"{each.mean @ np.arange(256):.1f}",
            f"{each.otsu:.0f}",
            f"{100 * each.border_share:.1f} %",
            int(each.n_black),
        ]
        for name, each in statistics.items()
    ]
    thresholds = ", ".join(f"{level} ({name})" for name, level in PRESETS.items())
    header = ("Class", "Images", "Mean gray level", "Otsu's threshold (median)", "Black border", "All black")
    return [
        Paragraph(
            f"Of {sampled}. Every image has the same weight, whatever its size. Black borders, as rotation leaves them,"
            " are left out of the curves; the table gives their share. Dashed and dotted lines are the thresholds"
            f" {thresholds}: pixels at or below a threshold count as dark."
        ),
        Chart("gray-levels-overlaid", partial(gray_levels.plot_classes_overlaid, statistics)),
        Table(header, rows_by_class),
        Chart("gray-levels-by-class", partial(gray_levels.plot_class_means, statistics)),
        Chart("gray-levels-of-images", plot_shown),
        Paragraph("The single images are the example images above.", is_note=True),
    ]


def _build_segmentation(content: Exploration) -> list[Block]:
    comparison = content.comparison
    has_masks = comparison.n_masks > 0
    truth = (
        f"Images with a true mask: {comparison.n_masks:,}. Dice's coefficient is 1 where a method marks exactly what the"
        " mask marks, and 0 where they share nothing."
        if has_masks
        else "No image has a true mask, so only areas are compared, and no method can be called correct."
    )
    blocks: list[Block] = [
        Paragraph(f"{format_count(comparison.n_images, 'image')}, segmented by {len(METHODS)} methods. {truth}"),
        Paragraph(
            "Otsu's threshold is computed for each image. Green minus blue density marks what absorbs green light more"
            " than blue: nuclei. The sum of densities marks all that is stained. The finder is the one that finds cells"
            " on the page Classify.",
            is_note=True,
        ),
        _build_methods_table(comparison, has_masks),
    ]
    if has_masks:
        blocks.append(Chart("dice", partial(segmentation.plot_dice, comparison.table)))
    blocks.append(Chart("areas", partial(segmentation.plot_areas, comparison.table, by_class=True)))
    if content.examples:
        blocks.append(Paragraph("One image of each class, with the outline of what each method marks."))
    for example in content.examples:
        blocks.append(Heading(theme.format_label(example.label)))
        blocks.append(Images(example.thumbnails, len(METHODS) + 1 + has_masks))
    n_classes = content.table["label"].nunique()
    if len(content.examples) < n_classes:
        note = f"{len(content.examples)} of {format_count(n_classes, 'class', 'classes')} shown."
        blocks.append(Paragraph(note, is_note=True))
    return blocks


def _build_methods_table(comparison: Comparison, has_masks: bool) -> Table:
    header = ["Method", "Median area", "Interquartile range"]
    header += ["Dice, nucleus (mean)", "Dice, whole cell (mean)"] if has_masks else []
    rows = []
    for method, means in summarise_methods(comparison.table).iterrows():
        row = [METHODS[str(method)], f"{100 * means['area_median']:.1f} %"]
        row.append(f"{100 * means['area_low']:.1f} to {100 * means['area_high']:.1f} %")
        row += [_format_score(means["dice_nucleus"]), _format_score(means["dice_cell"])] if has_masks else []
        rows.append(row)
    return Table(header, rows)


def _format_score(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.3f}"
