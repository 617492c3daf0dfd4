"""The few lines that a command tells at its end."""

from collections.abc import Iterable, Sequence

import pandas as pd

from bloodcell.cli.shared.output import to_printable
from bloodcell.core.labels import CHECK, HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNFAMILIAR, UNREADABLE

MAX_NAMED = 10  # so that a folder of broken files does not fill the screen


def summarise_batch(images: pd.DataFrame, cells: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """Sum up a batch from its tables (see `review.tables`): counts first, then what needs attention."""
    per_class = cells["prediction"].value_counts()
    per_status = cells["status"].value_counts()
    lines = [f"{format_count(len(images), 'image')}, {format_count(len(cells), 'cell')}"]
    if len(cells):
        lines.append("  " + ", ".join(f"{name} {per_class.get(name, 0)}" for name in class_names))
        lines.append(f"  to check: {per_status.get(CHECK, 0)}, unfamiliar: {per_status.get(UNFAMILIAR, 0)}")
    same = [
        f"{to_printable(further)} (as {to_printable(image.file_name)})"
        for image in images.itertuples(index=False)
        for further in image.further_names
    ]
    statuses = zip(images["file_name"], images["image_status"], images["message"], strict=True)
    return [*lines, *format_failed_images(statuses), *format_names("same bytes as another file", same)]


def format_failed_images(images: Iterable[tuple[str, str, str]]) -> list[str]:
    """Name the images that gave no cell, by status; each image is (name, status, message)."""
    by_status: dict[str, list[str]] = {NO_WHITE_CELL: [], NOT_A_SMEAR: [], UNREADABLE: []}
    for name, status, message in images:
        if status != HAS_CELLS:
            reason = f" ({to_printable(message)})" if status == UNREADABLE else ""
            by_status[status].append(to_printable(name) + reason)
    return [line for status, names in by_status.items() for line in format_names(status, names)]


def format_names(what: str, names: Sequence[str], most: int = MAX_NAMED) -> list[str]:
    """Give one line with the count and the first names; none for an empty list."""
    if not names:
        return []
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return [f"  {what}: {len(names)}: {', '.join(names[:most])}{more}"]


def format_count(number: int, noun: str) -> str:
    """Write ``1 image`` or ``2 images``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
