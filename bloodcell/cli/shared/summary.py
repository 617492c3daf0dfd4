"""The few lines that a command prints at its end."""

from collections.abc import Iterable, Sequence

import pandas as pd

from bloodcell.cli.shared.output import to_printable
from bloodcell.core.labels import CHECK, HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNFAMILIAR, UNREADABLE
from bloodcell.reports.numbers import format_count

MAX_NAMED = 10  # a folder of broken files must not fill the screen


def summarise_batch(images: pd.DataFrame, cells: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """Sum up a batch: counts first, then what needs attention.

    Parameters
    ----------
    images, cells : DataFrame
        As `review.result_tables` builds them.
    class_names : sequence of str
        In the order in which to count them.

    Returns
    -------
    list of str
        Lines for the terminal.
    """
    per_class = cells["prediction"].value_counts()
    per_status = cells["status"].value_counts()
    lines = [f"{format_count(len(images), 'image')}, {format_count(len(cells), 'cell')}"]
    if len(cells):
        lines.append("  " + ", ".join(f"{name} {per_class.get(name, 0)}" for name in class_names))
        lines.append(f"  to check: {per_status.get(CHECK, 0)}, unfamiliar: {per_status.get(UNFAMILIAR, 0)}")
    duplicates = [
        f"{to_printable(further)} (of {to_printable(image.file_name)})"
        for image in images.itertuples(index=False)
        for further in image.further_names
    ]
    statuses = zip(images["file_name"], images["image_status"], images["message"], strict=True)
    return [*lines, *format_failed_images(statuses), *format_names("exact duplicates", duplicates)]


def format_failed_images(images: Iterable[tuple[str, str, str]]) -> list[str]:
    """Name the images without a cell, by status.

    Parameters
    ----------
    images : iterable of (str, str, str)
        Name, status and message of each.

    Returns
    -------
    list of str
        One line per status that occurs.
    """
    by_status: dict[str, list[str]] = {NO_WHITE_CELL: [], NOT_A_SMEAR: [], UNREADABLE: []}
    for name, status, message in images:
        if status != HAS_CELLS:
            reason = f" ({to_printable(message)})" if status == UNREADABLE else ""
            by_status[status].append(to_printable(name) + reason)
    return [line for status, names in by_status.items() for line in format_names(status, names)]


def format_names(title: str, names: Sequence[str], max_named: int = MAX_NAMED) -> list[str]:
    """Return one line with the number of names and the first of them; none for an empty list.

    Examples
    --------
    >>> format_names("unreadable", ["1.jpg", "2.jpg", "3.jpg"], max_named=2)
    ['  unreadable (3): 1.jpg, 2.jpg and 1 more']
    >>> format_names("unreadable", [])
    []
    """
    if not names:
        return []
    more = f" and {len(names) - max_named} more" if len(names) > max_named else ""
    return [f"  {title} ({len(names)}): {', '.join(names[:max_named])}{more}"]
