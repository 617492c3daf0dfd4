"""In which order, and which of, a batch's cells are shown."""

from typing import Final

import pandas as pd

from bloodcell.core.labels import CELL_STATUSES

BY_DOUBT: Final = "Least sure first"
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
    only_undecided: bool = False,
) -> tuple[int, ...]:
    """Choose and sort cells.

    Parameters
    ----------
    table : DataFrame as `review.tables.read_cells_table` returns it, indexed by cell_id
    sort : one of `SORTS`. By doubt: unfamiliar, check, confident, within each the lowest probability first.
        By class: the predicted class in the model's order, within each the lowest probability first. It is
        the prediction that sorts, never the correction: a decided cell keeps its place.
    class_names : the model's classes in their order
    statuses, labels : show only these; an empty tuple shows all
    only_undecided : leave out cells that a person has decided

    Returns
    -------
    tuple of cell ids
    """
    wanted = pd.Series(True, index=table.index)
    if statuses:
        wanted &= table["status"].isin(statuses)
    if labels:
        wanted &= table["label"].isin(labels)
    if only_undecided:
        wanted &= table["correction"] == ""
    shown = table[wanted]
    if sort == BY_DOUBT:
        rank = shown["status"].map(_LEAST_TRUSTED_FIRST)
        shown = shown.assign(_rank=rank).sort_values(["_rank", "confidence"], kind="stable")
    elif sort == BY_CLASS:
        rank = shown["prediction"].map({name: index for index, name in enumerate(class_names)})
        shown = shown.assign(_rank=rank).sort_values(["_rank", "confidence"], kind="stable")
    return tuple(int(cell_id) for cell_id in shown.index)
