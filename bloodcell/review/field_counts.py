"""White cells, red cells and platelets of each field and of a batch, with intervals over fields."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from bloodcell.core.io import encode_csv
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_CELL
from bloodcell.core.settings import ASSUMED_RED_CELLS_PER_L
from bloodcell.evaluation.metrics.bootstrap import percentile_interval, resample_statistic
from bloodcell.imaging.focus import MIN_SHARPNESS

MIN_RED_CELLS: Final = 10  # in a field that is fit for counting
# Share of the field's area under red cells; above it they overlap, and many are hidden.
MAX_RED_SHARE: Final = 0.6
FIELD_COLUMNS: Final = (
    *("file", "sha256", "white_cells", "red_cells", "platelets", "white_per_100_red", "platelets_per_1000_red"),
    *("red_cell_px", "doubt"),
)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over fields; NaN where it cannot be given, as the interval of one field cannot."""

    value: float
    low: float
    high: float

    def format(self, digits: int = 1, unit: float = 1.0) -> str:
        """Write the value in units of `unit`, with its interval.

        Examples
        --------
        >>> Estimate(7.26, 5.5, 9.0).format(), Estimate(7.26, np.nan, np.nan).format()
        ('7.3 [5.5, 9.0]', '7.3 [no interval from one field]')
        """
        if np.isnan(self.value):
            return "–"
        ends = f"{self.low / unit:.{digits}f}, {self.high / unit:.{digits}f}"
        interval = "no interval from one field" if np.isnan(self.low) else ends
        return f"{self.value / unit:.{digits}f} [{interval}]"


@dataclass(frozen=True)
class FieldTotals:
    """The counts of a batch.

    Attributes
    ----------
    n_fields : int
        Fields in which all cells were looked for.
    n_unfit : int
        Those of them that are unfit for counting; the estimates leave them out.
    white_cells, red_cells, platelets : int
        In all fields.
    white_per_100_red, platelets_per_1000_red, platelets_per_field : Estimate
        Over the fields that are fit.
    red_cells_per_l : float
        What the estimates per litre start from.
    white_per_l, platelets_per_l : Estimate
        Cells per litre by the ratio to red cells (Fonio's method for platelets), if there are
        `red_cells_per_l` of those; the interval holds the spread between fields alone.
    """

    n_fields: int
    n_unfit: int
    white_cells: int
    red_cells: int
    platelets: int
    white_per_100_red: Estimate
    platelets_per_1000_red: Estimate
    platelets_per_field: Estimate
    red_cells_per_l: float
    white_per_l: Estimate
    platelets_per_l: Estimate


def build_fields_table(images: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Count the cells of each field.

    Parameters
    ----------
    images, cells : DataFrame
        As `review.tables` reads them.

    Returns
    -------
    DataFrame
        image_id and `FIELD_COLUMNS`, a row for each image in which red cells and platelets were looked for. White cells
        are those that nobody has called "not a white cell". `doubt` says why a field is unfit for counting, "" where
        it is fit.
    """
    rows = images[images["n_red_cells"].notna() & images["image_status"].isin([HAS_CELLS, NO_WHITE_CELL])]
    counted = cells[cells["label"] != NOT_A_CELL].groupby("image_id").size()
    white = rows["image_id"].map(counted).fillna(0).astype(int)
    red, platelets = rows["n_red_cells"].astype(int), rows["n_platelets"].astype(int)
    red_or_none = red.where(red > 0)
    table = pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "file": rows["file_name"],
            "sha256": rows["sha256"],
            "white_cells": white,
            "red_cells": red,
            "platelets": platelets,
            "white_per_100_red": (100 * white / red_or_none).astype(float),
            "platelets_per_1000_red": (1000 * platelets / red_or_none).astype(float),
            "red_cell_px": rows["red_cell_px"],
            "doubt": [
                _explain_doubt(*values)
                for values in zip(
                    red, rows["red_cell_px"], rows["height_px"], rows["width_px"], rows["sharpness"], strict=True
                )
            ],
        }
    )
    return table.reset_index(drop=True)


def compute_field_totals(fields: pd.DataFrame, red_cells_per_l: float = ASSUMED_RED_CELLS_PER_L) -> FieldTotals:
    """Add up the counts of a batch.

    Parameters
    ----------
    fields : DataFrame
        As `build_fields_table` builds it.
    red_cells_per_l : float
        What the estimates per litre start from.

    Returns
    -------
    FieldTotals
    """
    fit = fields[fields["doubt"] == ""]
    names = ["white_cells", "red_cells", "platelets"]
    sums = np.column_stack([fit[names].to_numpy(np.float64), np.ones(len(fit))])
    ratios = _estimate_ratios(sums)
    white, red, platelets = (int(fields[name].sum()) for name in names)
    return FieldTotals(
        n_fields=len(fields),
        n_unfit=len(fields) - len(fit),
        white_cells=white,
        red_cells=red,
        platelets=platelets,
        white_per_100_red=_multiply(ratios[0], 100),
        platelets_per_1000_red=_multiply(ratios[1], 1000),
        platelets_per_field=ratios[2],
        red_cells_per_l=red_cells_per_l,
        white_per_l=_multiply(ratios[0], red_cells_per_l),
        platelets_per_l=_multiply(ratios[1], red_cells_per_l),
    )


def encode_fields(fields: pd.DataFrame) -> bytes:
    """Write the counts of fields as CSV: UTF-8 with BOM, the columns `FIELD_COLUMNS`."""
    rows = [
        ["" if isinstance(value, float) and np.isnan(value) else _round(value) for value in row]
        for row in fields[list(FIELD_COLUMNS)].itertuples(index=False)
    ]
    return encode_csv(FIELD_COLUMNS, rows)


def _explain_doubt(n_red: int, red_cell_px: float, height_px: int, width_px: int, sharpness: float) -> str:
    if sharpness < MIN_SHARPNESS:
        return "Out of focus."
    if n_red < MIN_RED_CELLS:
        return f"Few red cells: {n_red}."
    share = n_red * np.pi / 4 * red_cell_px**2 / (height_px * width_px)
    return f"Crowded: red cells cover {share:.0%} of the field." if share > MAX_RED_SHARE else ""


def _estimate_ratios(sums: npt.NDArray[np.float64]) -> list[Estimate]:
    """Estimate white cells per red cell, platelets per red cell and platelets per field from rows of sums."""
    if not len(sums):
        return [Estimate(np.nan, np.nan, np.nan)] * 3
    values = _divide(sums.sum(axis=0)[None])[0]
    if len(sums) == 1:  # the spread between fields is not known
        return [Estimate(float(value), np.nan, np.nan) for value in values.tolist()]
    draws = resample_statistic(_divide, sums, np.arange(len(sums)))
    return [
        Estimate(float(value), *percentile_interval(draws[:, number])) for number, value in enumerate(values.tolist())
    ]


def _divide(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    white, red, platelets, n_fields = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        red = np.where(red > 0, red, np.nan)
        return np.stack([white / red, platelets / red, platelets / n_fields], axis=1)


def _multiply(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor)


def _round(value: object) -> object:
    return round(value, 2) if isinstance(value, float) else value
