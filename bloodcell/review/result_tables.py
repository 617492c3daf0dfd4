"""The two tables of a batch, made of plain rows: those of a database, or those of a pass over files without one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_BEFORE_PROBS = (
    "cell_id",
    "image_id",
    "file_name",
    "sha256",
    "cell_number",
    "top",
    "left",
    "bottom",
    "right",
    "prediction",
)
_AFTER_PROBS = ("status", "correction", "who", "when", "model_name", "model_sha256")
_INTEGERS = ("cell_id", "image_id", "cell_number", "top", "left", "bottom", "right")
_IMAGE_COLUMNS = (
    "image_id",
    "position",
    "file_name",
    "further_names",
    "sha256",
    "image_status",
    "message",
    "n_cells",
    "height_px",
    "width_px",
    "red_cell_px",
    "n_red_cells",
    "n_platelets",
    "sharpness",
)


def build_cells_table(rows: Sequence[tuple[Any, ...]], class_names: Sequence[str]) -> pd.DataFrame:
    """Build the table of cells that `tables.read_cells_table` describes.

    Parameters
    ----------
    rows : sequence of tuple
        One per cell: cell_id, image_id, file_name, sha256, cell_number, top, left, bottom, right, prediction, list of
        probabilities or None, status, correction, who, when, model_name, model_sha256.
    class_names : sequence of str
        In the order of the probabilities.

    Returns
    -------
    DataFrame
        With the same columns and types where there are no rows.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(_BEFORE_PROBS) + len(_AFTER_PROBS) + 1)
    table = pd.DataFrame(dict(zip(_BEFORE_PROBS, columns, strict=False)))
    probs = _stack_probs(columns[len(_BEFORE_PROBS)], len(class_names))
    for index, class_name in enumerate(class_names):
        table[f"prob_{class_name}"] = probs[:, index]
    table["confidence"] = probs.max(axis=1)
    for name, values in zip(_AFTER_PROBS, columns[len(_BEFORE_PROBS) + 1 :], strict=True):
        table[name] = values
    table.insert(
        table.columns.get_loc("correction") + 1,
        "label",
        table["correction"].where(table["correction"] != "", table["prediction"]),
    )
    texts = table.columns.difference([*_INTEGERS, "confidence", *(f"prob_{name}" for name in class_names)])
    return table.astype(dict.fromkeys(_INTEGERS, "int64") | dict.fromkeys(texts, "str"))


def build_images_table(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Build the table of images that `tables.read_images_table` describes.

    Parameters
    ----------
    rows : sequence of tuple
        One per image, its values in the order of the columns.

    Returns
    -------
    DataFrame
        With the same columns and types where there are no rows.
    """
    table = pd.DataFrame(rows, columns=list(_IMAGE_COLUMNS))
    integers = ("image_id", "position", "n_cells", "height_px", "width_px")
    texts = ("file_name", "sha256", "image_status", "message")
    numbers = ("red_cell_px", "n_red_cells", "n_platelets", "sharpness")  # NaN where only white cells were looked for
    types = dict.fromkeys(integers, "int64") | dict.fromkeys(texts, "str") | dict.fromkeys(numbers, "float64")
    return table.astype(types)


def _stack_probs(lists: Sequence[list[float] | None], n_classes: int) -> npt.NDArray[np.float64]:
    """Stack the probabilities into float64 (N, C); a row of NaN where there are none of that number."""
    unknown = [np.nan] * n_classes
    rows = [probs if probs is not None and len(probs) == n_classes else unknown for probs in lists]
    return np.array(rows, dtype=np.float64).reshape(len(rows), n_classes)
