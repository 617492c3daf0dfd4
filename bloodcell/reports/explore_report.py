"""The report on a labelled set: what it holds, how it looks, its grey levels, and ways to segment it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bloodcell.datasets.catalog.exploration import Comparison, SampledLevels, summarise_methods
from bloodcell.imaging.gray_levels import summarise_levels_by_class
from bloodcell.imaging.read import encode_jpeg
from bloodcell.imaging.segment import METHODS, TrueMask, dice, measure_area_share, segment_cell
from bloodcell.plots import dataset, gray_levels, segmentation, theme
from bloodcell.plots.cell_images import draw_outline, fit_inside, render_gray
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
    images: tuple[tuple[bytes, str, str], ...]


@dataclass(frozen=True)
class Exploration:
    """All that the report tells.

    name : of the folder or zip
    table : `datasets.catalog.survey.survey_images` of all images
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


def make_tile(file: str, label: str, rgb: np.ndarray) -> Tile:
    """Make the tile of a uint8 (H, W, 3) picture."""
    small = fit_inside(rgb, TILE_PX)[0]
    return Tile(file, label, encode_jpeg(small, 85), encode_jpeg(render_gray(small), 85))


def make_example(file: str, label: str, rgb: np.ndarray, truth: TrueMask | None) -> Example:
    """Outline what every method marks in a uint8 (H, W, 3) picture; with a true mask, outline it too and give Dice."""
    images = [(_encode_example(rgb), f"{file}: the picture", "Picture")]
    if truth is not None:
        images.append((_encode_example(draw_outline(rgb, truth.cell, EXAMPLE_PX)), f"{file}: true mask", "True mask"))
    for method, mask in segment_cell(rgb).items():
        caption = f"{METHODS[method]}: {100 * measure_area_share(mask, rgb):.1f} %"
        if truth is not None:
            of_nucleus = "" if truth.nucleus is None else f"nucleus {dice(mask, truth.nucleus):.2f}, "
            caption += f"; Dice {of_nucleus}cell {dice(mask, truth.cell):.2f}"
        images.append((_encode_example(draw_outline(rgb, mask, EXAMPLE_PX)), f"{file}: {METHODS[method]}", caption))
    return Example(file, label, tuple(images))


def _encode_example(rgb: np.ndarray) -> bytes:
    return encode_jpeg(fit_inside(rgb, EXAMPLE_PX, EXAMPLE_PX)[0], 85)


def render_exploration_html(content: Exploration) -> bytes:
    """Write the report as one HTML file that fetches nothing.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    bytes, HTML in UTF-8
    """
    n_read = len(content.levels.records)
    sampled = (
        f"all {n_read:,} images"
        if n_read == len(content.table)
        else f"a random sample of {n_read:,} of {len(content.table):,} images, spread evenly over the classes "
        f"(seed {content.seed})"
    )
    return html_page.page(
        f"Images in {content.name}",
        f"Counts, sizes and formats are of all images, read from their headers. Gray levels, pictures and areas are of "
        f"{sampled}. Made by Bloodcell; not a medical device.",
        [
            ("What was found", _render_overview(content)),
            ("Classes", _render_classes(content)),
            ("Sizes and formats", _render_sizes(content)),
            ("Pictures", _render_images(content)),
            ("Gray levels", _render_gray_levels(content, sampled)),
            ("Segmentation", _render_segmentation(content)),
        ],
    )


def _render_overview(content: Exploration) -> list[str]:
    table = content.table
    problems = [(row.file, row.problem) for row in table.itertuples() if row.problem]
    problems = sorted({*problems, *content.unlisted, *content.levels.problems, *content.comparison.problems})
    parts = [
        html_page.facts(
            [
                (f"{len(table):,}", _choose_plural(len(table), "image")),
                (f"{table['label'].nunique()}", _choose_plural(table["label"].nunique(), "class", "classes")),
                (f"{len(content.levels.records):,}", "looked at closely"),
                (f"{content.n_masks:,}", "with a true mask"),
                (f"{len(problems):,}", _choose_plural(len(problems), "problem")),
            ]
        )
    ]
    if problems:
        parts.append(html_page.heading("Problems"))
        parts.append(html_page.table(["File", "What is wrong"], problems[:MAX_PROBLEMS], n_text=2))
        if len(problems) > MAX_PROBLEMS:
            parts.append(html_page.paragraph(f"And {len(problems) - MAX_PROBLEMS:,} more.", note=True))
        parts.append(
            html_page.paragraph("Damage behind the header is seen only in images looked at closely.", note=True)
        )
    else:
        unseen = " Of images not looked at closely only the header was read, so damage behind it would not show."
        parts.append(html_page.paragraph("No problem was seen." + unseen * (len(content.levels.records) < len(table))))
    return parts


def _render_classes(content: Exploration) -> list[str]:
    counts = content.table["label"].value_counts().sort_index()
    parts = [
        html_page.chart(dataset.plot_class_balance({str(name): int(n) for name, n in counts.items()}), "class-balance")
    ]
    if len(counts) > 1:
        ratio = counts.max() / counts.min()
        balance = f"The largest class has {ratio:.1f} times as many images as the smallest."
        parts.append(html_page.paragraph(balance if ratio >= 1.1 else "All classes have about as many images."))
    small = [theme.format_label(str(name)) for name, n in counts.items() if n < SMALL_CLASS]
    if small:
        parts.append(html_page.paragraph(f"Fewer than {SMALL_CLASS} images: {', '.join(small)}."))
    note = "Images are counted as they are: copies of one cell, turned or flipped, count each."
    return [*parts, html_page.paragraph(note, note=True)]


def _render_sizes(content: Exploration) -> list[str]:
    known = content.table[content.table["format"] != ""]
    sizes = known.groupby(["width_px", "height_px"]).size()
    kinds = known["format"].value_counts()
    parts = []
    if len(kinds) == 1 and len(known) == len(content.table):
        parts.append(html_page.paragraph(f"All files are {kinds.index[0]}."))
    else:
        parts.append(html_page.chart(dataset.plot_formats(content.table), "formats"))
    if len(sizes) == 1:
        width, height = sizes.index[0]
        parts.append(
            html_page.paragraph(f"All images that can be read are {width} × {height} pixels (width × height).")
        )
    elif len(sizes):
        parts.append(html_page.chart(dataset.plot_image_sizes(content.table), "image-sizes"))
    return parts


def _render_images(content: Exploration) -> list[str]:
    parts = [html_page.paragraph(f"Up to {N_PER_CLASS} of each class, drawn at random, in colour and in gray.")]
    for label in sorted({one.label for one in content.tiles}):
        tiles = [one for one in content.tiles if one.label == label]
        parts.append(html_page.heading(theme.format_label(label)))
        parts.append(html_page.image_row([(one.colour, one.file, "") for one in tiles], N_PER_CLASS))
        parts.append(html_page.image_row([(one.gray, f"{one.file}, gray", "") for one in tiles], N_PER_CLASS))
    return parts


def _render_gray_levels(content: Exploration, sampled: str) -> list[str]:
    images, labels = content.levels.levels, content.levels.labels
    statistics = summarise_levels_by_class(images, labels)
    shown = {one.file for one in content.tiles}
    rows = [row for row, record in enumerate(content.levels.records) if record.file in shown]
    single = gray_levels.plot_images_by_class(
        [images[row] for row in rows], [labels[row] for row in rows], [content.levels.records[row].file for row in rows]
    )
    cells = [
        [
            theme.format_label(name),
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
        html_page.paragraph(
            f"Of {sampled}. Every image counts alike, whatever its size. Black borders, as rotation leaves them, are "
            "left out of the curves and counted in the table. Dashed and dotted lines are the thresholds 150 (target "
            "cell), 180 (cells) and 200 (background): pixels at or below count as dark."
        ),
        html_page.chart(gray_levels.plot_classes_overlaid(statistics), "gray-levels-overlaid"),
        html_page.table(header, cells),
        html_page.chart(gray_levels.plot_class_means(statistics), "gray-levels-by-class"),
        html_page.chart(single, "gray-levels-of-images"),
        html_page.paragraph("The single images are those shown above.", note=True),
    ]


def _render_segmentation(content: Exploration) -> list[str]:
    comparison = content.comparison
    table = comparison.table
    has_masks = comparison.n_masks > 0
    truth = (
        f"{comparison.n_masks:,} of them have a true mask. "
        "Dice's coefficient is 1 where a method marks just what the mask marks, and 0 where they share nothing."
        if has_masks
        else "There is no true mask beside the images, so areas are compared, and no method can be called right."
    )
    parts = [
        html_page.paragraph(f"{comparison.n_images:,} images, each cut by {len(METHODS)} methods. {truth}"),
        html_page.paragraph(
            "Otsu's threshold is set anew for each image. Green less blue is where green light is absorbed more than "
            "blue: nuclei. The sum of densities is all that is stained. The finder is the one that finds cells on the "
            "page Classify.",
            note=True,
        ),
    ]
    header = ["Method", "Area, median", "Quartiles"]
    header += ["Dice, nucleus (mean)", "Dice, whole cell (mean)"] if has_masks else []
    rows = []
    for method, one in summarise_methods(table).iterrows():
        row = [METHODS[str(method)], f"{100 * one['area_median']:.1f} %"]
        row.append(f"{100 * one['area_low']:.1f} to {100 * one['area_high']:.1f} %")
        row += [_format_score(one["dice_nucleus"]), _format_score(one["dice_cell"])] if has_masks else []
        rows.append(row)
    parts.append(html_page.table(header, rows))
    if has_masks:
        parts.append(html_page.chart(segmentation.plot_dice(table), "dice"))
    parts.append(html_page.chart(segmentation.plot_areas(table, by_class=True), "areas"))
    if content.examples:
        parts.append(html_page.paragraph("One picture of each class, with the outline of what each method marks."))
    for one in content.examples:
        parts.append(html_page.heading(theme.format_label(one.label)))
        parts.append(html_page.image_row(one.images, len(METHODS) + 1 + has_masks))
    n_classes = content.table["label"].nunique()
    if len(content.examples) < n_classes:
        parts.append(html_page.paragraph(f"{len(content.examples)} of {n_classes} classes are shown.", note=True))
    return parts


def _format_score(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.3f}"


def _choose_plural(number: int, one: str, many: str = "") -> str:
    return one if number == 1 else many or f"{one}s"
