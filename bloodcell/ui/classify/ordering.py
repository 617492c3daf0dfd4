"""Sorting and filtering the cells of a batch."""

from typing import Final

import pandas as pd

from bloodcell.core.labels import CELL_STATUSES

BY_DOUBT: Final = "Lowest confidence first"
BY_CLASS: Final = "By class"
BY_FILE: Final = "File order"
SORTS: Final = (BY_DOUBT, BY_CLASS, BY_FILE)
_LEAST_TRUSTED_FIRST: Final = {status: rank for rank, status in enumerate(reversed(CELL_STATUSES))}


def order_cells(
    table: pd.DataFrame,
    sort: str,
    class_names: tuple[str, ...],
    statuses: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    only_unreviewed: bool = False,
) -> tuple[int, ...]:
    """Filter and sort cells.

    Parameters
    ----------
    table : DataFrame
        As `review.tables.read_cells_table` returns it, indexed by cell_id.
    sort : str
        One of `SORTS`. `BY_DOUBT`: unfamiliar, check, confident, within each the lowest confidence first. `BY_CLASS`:
        the predicted class in the order of the model, within each the lowest confidence first; a reviewed cell keeps
        its place, as the correction does not count. `BY_FILE`: the order of the table.
    class_names : tuple of str
        The classes of the model, in its order.
    statuses, labels : tuple of str, default ()
        Show only cells with these; an empty tuple shows all.
    only_unreviewed : bool, default False
        Leave out cells that a person has reviewed.

    Returns
    -------
    tuple of int
        Cell ids.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"status": ["confident", "check"], "confidence": [0.9, 0.6], "label": "MONOCYTE", "correction": ""},
    ...     index=[7, 8],
    ... )
    >>> order_cells(table, BY_DOUBT, ("MONOCYTE",))
    (8, 7)
    >>> order_cells(table, BY_DOUBT, ("MONOCYTE",), statuses=("confident",))
    (7,)
    """
    is_shown = pd.Series(True, index=table.index)
    if statuses:
        is_shown &= table["status"].isin(statuses)
    if labels:
        is_shown &= table["label"].isin(labels)
    if only_unreviewed:
        is_shown &= table["correction"] == ""
    shown = table[is_shown]
    if sort == BY_DOUBT:
        rank = shown["status"].map(_LEAST_TRUSTED_FIRST)
        shown = shown.assign(_rank=rank).sort_values(["_rank", "confidence"], kind="stable")
    elif sort == BY_CLASS:
        rank = shown["prediction"].map({name: index for index, name in enumerate(class_names)})
        shown = shown.assign(_rank=rank).sort_values(["_rank", "confidence"], kind="stable")
    return tuple(int(cell_id) for cell_id in shown.index)
