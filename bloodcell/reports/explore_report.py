"""The report on a labelled set: what it holds, how it looks, its grey levels, and ways to segment it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bloodcell.datasets.catalog.exploration import Comparison, SampledLevels, method_summary
from bloodcell.imaging.gray_levels import statistics_by_class
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, TrueMask, area_share, dice, segment
from bloodcell.plots import dataset, gray_levels, segmentation, theme
from bloodcell.plots.cell_images import fit_inside, gray_picture, outlined
from bloodcell.reports import html_page

N_PER_CLASS = 8  # pictures of each class in the grid
TILE_PX = 180
EXAMPLE_PX = 240
MAX_EXAMPLES = 12  # classes of which one picture is shown by every method
MAX_PROBLEMS = 50
SMALL_CLASS = 30  # images; fewer say little about a class


@dataclass(frozen=True)
class Tile:
    """One image of the random grid: its name, and it in colour and in grey as JPEG."""

    file: str
    label: str
    colour: bytes
    gray: bytes


@dataclass(frozen=True)
class Example:
    """One image by every method: (JPEG, what it is, caption) each."""

    file: str
    label: str
    pictures: tuple[tuple[bytes, str, str], ...]


@dataclass(frozen=True)
class Exploration:
    """All that the report tells.

    name : of the folder or zip
    table : `datasets.catalog.survey.survey` of all images
    n_sample, seed : what was asked of the sample
    levels, comparison : of the sample
    tiles, examples : pictures to show
    n_masks : images of the whole set with a true mask
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


def tile(file: str, label: str, rgb: np.ndarray) -> Tile:
    """Make the tile of a uint8 (H, W, 3) picture."""
    small = fit_inside(rgb, TILE_PX)[0]
    return Tile(file, label, encode_jpeg(small, 85), encode_jpeg(gray_picture(small), 85))


def example(file: str, label: str, rgb: np.ndarray, truth: TrueMask | None) -> Example:
    """Outline what every method marks in a uint8 (H, W, 3) picture; with a true mask, outline it too and give Dice."""
    pictures = [(_jpeg(rgb), f"{file}: the picture", "Picture")]
    if truth is not None:
        pictures.append((_jpeg(outlined(rgb, truth.cell, EXAMPLE_PX)), f"{file}: true mask", "True mask"))
    for method, mask in segment(rgb).items():
        caption = f"{METHODS[method]}: {100 * area_share(mask, rgb):.1f} %"
        if truth is not None:
            of_nucleus = "" if truth.nucleus is None else f"nucleus {dice(mask, truth.nucleus):.2f}, "
            caption += f"; Dice {of_nucleus}cell {dice(mask, truth.cell):.2f}"
        pictures.append((_jpeg(outlined(rgb, mask, EXAMPLE_PX)), f"{file}: {METHODS[method]}", caption))
    return Example(file, label, tuple(pictures))


def _jpeg(rgb: np.ndarray) -> bytes:
    return encode_jpeg(fit_inside(rgb, EXAMPLE_PX, EXAMPLE_PX)[0], 85)


def explore_report(found: Exploration) -> bytes:
    """Write the report as one HTML file that fetches nothing.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    bytes, HTML in UTF-8
    """
    n_read = len(found.levels.records)
    sampled = (
        f"all {n_read:,} images"
        if n_read == len(found.table)
        else f"a random sample of {n_read:,} of {len(found.table):,} images, spread evenly over the classes "
        f"(seed {found.seed})"
    )
    return html_page.page(
        f"Images in {found.name}",
        f"Counts, sizes and formats are of all images, read from their headers. Gray levels, pictures and areas are of "
        f"{sampled}. Made by Bloodcell; not a medical device.",
        [
            ("What was found", _overview(found)),
            ("Classes", _classes(found)),
            ("Sizes and formats", _sizes(found)),
            ("Pictures", _pictures(found)),
            ("Gray levels", _levels(found, sampled)),
            ("Segmentation", _segmentation(found)),
        ],
    )


def _overview(found: Exploration) -> list[str]:
    table = found.table
    problems = [(row.file, row.problem) for row in table.itertuples() if row.problem]
    problems = sorted({*problems, *found.unlisted, *found.levels.problems, *found.comparison.problems})
    parts = [
        html_page.facts(
            [
                (f"{len(table):,}", _plural(len(table), "image")),
                (f"{table['label'].nunique()}", _plural(table["label"].nunique(), "class", "classes")),
                (f"{len(found.levels.records):,}", "looked at closely"),
                (f"{found.n_masks:,}", "with a true mask"),
                (f"{len(problems):,}", _plural(len(problems), "problem")),
            ]
        )
    ]
    if problems:
        parts.append(html_page.heading("Problems"))
        parts.append(html_page.table(["File", "What is wrong"], problems[:MAX_PROBLEMS], n_text=2))
        if len(problems) > MAX_PROBLEMS:
            parts.append(html_page.words(f"And {len(problems) - MAX_PROBLEMS:,} more.", note=True))
        parts.append(html_page.words("Damage behind the header is seen only in images looked at closely.", note=True))
    else:
        unseen = " Of images not looked at closely only the header was read, so damage behind it would not show."
        parts.append(html_page.words("No problem was seen." + unseen * (len(found.levels.records) < len(table))))
    return parts


def _classes(found: Exploration) -> list[str]:
    counts = found.table["label"].value_counts().sort_index()
    parts = [html_page.chart(dataset.class_balance({str(name): int(n) for name, n in counts.items()}), "class-balance")]
    if len(counts) > 1:
        ratio = counts.max() / counts.min()
        balance = f"The largest class has {ratio:.1f} times as many images as the smallest."
        parts.append(html_page.words(balance if ratio >= 1.1 else "All classes have about as many images."))
    small = [theme.label_words(str(name)) for name, n in counts.items() if n < SMALL_CLASS]
    if small:
        parts.append(html_page.words(f"Fewer than {SMALL_CLASS} images: {', '.join(small)}."))
    note = "Images are counted as they are: copies of one cell, turned or flipped, count each."
    return [*parts, html_page.words(note, note=True)]


def _sizes(found: Exploration) -> list[str]:
    known = found.table[found.table["format"] != ""]
    sizes = known.groupby(["width_px", "height_px"]).size()
    kinds = known["format"].value_counts()
    parts = []
    if len(kinds) == 1 and len(known) == len(found.table):
        parts.append(html_page.words(f"All files are {kinds.index[0]}."))
    else:
        parts.append(html_page.chart(dataset.formats(found.table), "formats"))
    if len(sizes) == 1:
        width, height = sizes.index[0]
        parts.append(html_page.words(f"All images that can be read are {width} × {height} pixels (width × height)."))
    elif len(sizes):
        parts.append(html_page.chart(dataset.image_sizes(found.table), "image-sizes"))
    return parts


def _pictures(found: Exploration) -> list[str]:
    parts = [html_page.words(f"Up to {N_PER_CLASS} of each class, drawn at random, in colour and in gray.")]
    for label in sorted({one.label for one in found.tiles}):
        tiles = [one for one in found.tiles if one.label == label]
        parts.append(html_page.heading(theme.label_words(label)))
        parts.append(html_page.picture_row([(one.colour, one.file, "") for one in tiles], N_PER_CLASS))
        parts.append(html_page.picture_row([(one.gray, f"{one.file}, gray", "") for one in tiles], N_PER_CLASS))
    return parts


def _levels(found: Exploration, sampled: str) -> list[str]:
    images, labels = found.levels.levels, found.levels.labels
    statistics = statistics_by_class(images, labels)
    shown = {one.file for one in found.tiles}
    rows = [row for row, record in enumerate(found.levels.records) if record.file in shown]
    single = gray_levels.images_by_class(
        [images[row] for row in rows], [labels[row] for row in rows], [found.levels.records[row].file for row in rows]
    )
    cells = [
        [
            theme.label_words(name),
            f"{one.n_images:,}",
            f"{one.mean @ np.arange(256):.1f}",
            f"{one.otsu:.0f}",
            f"{100 * one.border_share:.1f} %",
            f"{one.n_black:,}",
        ]
        for name, one in statistics.items()
    ]
    header = ["Class", "Images", "Mean gray level", "Otsu (median)", "Black border", "Black throughout"]
    return [
        html_page.words(
            f"Of {sampled}. Every image counts alike, whatever its size. Black borders, as rotation leaves them, are "
            "left out of the curves and counted in the table. Dashed and dotted lines are the thresholds 150 (target "
            "cell), 180 (cells) and 200 (background): pixels at or below count as dark."
        ),
        html_page.chart(gray_levels.classes_overlaid(statistics), "gray-levels-overlaid"),
        html_page.table(header, cells),
        html_page.chart(gray_levels.means_by_class(statistics), "gray-levels-by-class"),
        html_page.chart(single, "gray-levels-of-images"),
        html_page.words("The single images are those shown above.", note=True),
    ]


def _segmentation(found: Exploration) -> list[str]:
    compared = found.comparison
    table = compared.table
    has_masks = compared.n_masks > 0
    truth = (
        f"{compared.n_masks:,} of them have a true mask. "
        "Dice's coefficient is 1 where a method marks just what the mask marks, and 0 where they share nothing."
        if has_masks
        else "There is no true mask beside the images, so areas are compared, and no method can be called right."
    )
    parts = [
        html_page.words(f"{compared.n_images:,} images, each cut by {len(METHODS)} methods. {truth}"),
        html_page.words(
            "Otsu's threshold is set anew for each image. Green less blue is where green light is absorbed more than "
            "blue: nuclei. The sum of densities is all that is stained. The finder is the one that finds cells on the "
            "page Classify.",
            note=True,
        ),
    ]
    header = ["Method", "Area, median", "Quartiles"]
    header += ["Dice, nucleus (mean)", "Dice, whole cell (mean)"] if has_masks else []
    rows = []
    for method, one in method_summary(table).iterrows():
        row = [METHODS[str(method)], f"{100 * one['area_median']:.1f} %"]
        row.append(f"{100 * one['area_low']:.1f} to {100 * one['area_high']:.1f} %")
        row += [_score(one["dice_nucleus"]), _score(one["dice_cell"])] if has_masks else []
        rows.append(row)
    parts.append(html_page.table(header, rows))
    if has_masks:
        parts.append(html_page.chart(segmentation.dice_boxes(table), "dice"))
    parts.append(html_page.chart(segmentation.area_boxes(table, by_class=True), "areas"))
    if found.examples:
        parts.append(html_page.words("One picture of each class, with the outline of what each method marks."))
    for one in found.examples:
        parts.append(html_page.heading(theme.label_words(one.label)))
        parts.append(html_page.picture_row(one.pictures, len(METHODS) + 1 + has_masks))
    n_classes = found.table["label"].nunique()
    if len(found.examples) < n_classes:
        parts.append(html_page.words(f"{len(found.examples)} of {n_classes} classes are shown.", note=True))
    return parts


def _score(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.3f}"


def _plural(number: int, one: str, many: str = "") -> str:
    return one if number == 1 else many or f"{one}s"
