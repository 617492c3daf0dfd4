"""Splits of a labelled dataset without leaks: all images of a source cell or patient lie in one part."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.text import inflect_noun
from bloodcell.datasets.copies.groups import renumber_by_first
from bloodcell.datasets.labels.records import name_files
from bloodcell.datasets.splits.assignment import assign_folds, draw_groups

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
EXCLUDED: Final = "excluded"  # shares a cell with a fixed test image, so it is neither trained on nor scored
COLUMNS: Final = ("file", "group", "label")


@dataclass(frozen=True)
class Split:
    """A table of files and the part that each lies in.

    Attributes
    ----------
    table : DataFrame
        With the text columns file, group, label, split, sorted by file.
    leaky : bool, default False
        True if copies of one cell may lie in two parts; every result based on the split has to say so.
    warnings : tuple of str, default ()
        Plain sentences about what could not be done as requested.
    """

    table: pd.DataFrame
    leaky: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, the training part first."""
        return tuple(sorted(set(self.table["split"]), key=order_part))


def order_part(part: str) -> tuple[int, int, str]:
    """Return a sort key: train, validation, folds by number, test, excluded, then other names."""
    ranks = {TRAIN: 0, VALIDATION: 1, TEST: 3, EXCLUDED: 4}
    number = part.removeprefix("fold")
    if part.startswith("fold") and number.isdecimal():
        return 2, int(number), part
    return ranks.get(part, 5), 0, part


def split(
    table: pd.DataFrame,
    n_folds: int | None = None,
    validation_share: float | None = None,
    seed: int = 0,
    test_share: float = 0.0,
    test_files: Collection[str] = (),
    leaky: bool = False,
) -> Split:
    """Split into folds, or into train and validation; all images of a group lie in one part.

    Parameters
    ----------
    table : DataFrame
        With the columns file, group and label; see `split_into_folds`.
    n_folds : int, optional
        For parts fold0, fold1, ...; at least 2.
    validation_share : float, optional
        For parts train and validation, in place of `n_folds`; above 0 and below 1.
    seed, test_share, test_files, leaky
        See `split_into_folds`.

    Returns
    -------
    Split

    Raises
    ------
    DatasetError
        If both or neither of `n_folds` and `validation_share` are given, or as for `split_into_folds`.

    Examples
    --------
    >>> table = pd.DataFrame({"file": list("abcdefgh"), "group": list("11223344"), "label": ["A", "B"] * 4})
    >>> list(split(table, n_folds=2).table["split"])
    ['fold1', 'fold1', 'fold0', 'fold0', 'fold0', 'fold0', 'fold1', 'fold1']
    """
    if n_folds is not None and validation_share is None:
        return split_into_folds(table, n_folds, seed, test_share, test_files, leaky)
    if validation_share is not None and n_folds is None:
        return split_holdout(table, validation_share, seed, test_share, test_files, leaky)
    raise DatasetError(
        f"Either `n_folds` or `validation_share` must be given. Received: {n_folds} and {validation_share}."
    )


def split_into_folds(
    table: pd.DataFrame,
    n_folds: int,
    seed: int = 0,
    test_share: float = 0.0,
    test_files: Collection[str] = (),
    leaky: bool = False,
) -> Split:
    """Split into folds named fold0, fold1, ..., and a test part if requested.

    Parameters
    ----------
    table : DataFrame
        With the columns file, group and label; neither the order of its rows nor the names of its groups matter.
        Without the column group, `leaky` must be True.
    n_folds : int
        At least 2.
    seed : int, default 0
        Decides where the split is free to choose.
    test_share : float, default 0.0
        Share of the images, 0 to below 1, to draw as the test part before the folds.
    test_files : collection of str, default ()
        Files that make up the test part, in place of `test_share`. Other images of their groups become the part
        excluded.
    leaky : bool, default False
        True for a random split of images, whatever their group; the result is marked.

    Returns
    -------
    Split

    Raises
    ------
    DatasetError
        If the table cannot be split in this way: columns or labels missing, a file twice, unknown test files, fewer
        groups than parts.
    """
    if n_folds < 2:
        raise DatasetError(f"`n_folds` must be at least 2. Received: {n_folds}.")
    rows, groups, parts, notes = _prepare_rows(table, seed, test_share, test_files, leaky)
    rest = np.flatnonzero(parts == "")
    labels = rows["label"].to_numpy()
    n_groups = len(np.unique(groups[rest]))
    if n_groups < n_folds:
        what = "images" if leaky else "groups (source cells or patients)"
        raise DatasetError(f"{n_folds} folds need at least {n_folds} {what}. Received: {n_groups}.")
    notes += _describe_thin_classes(labels[rest], groups[rest], n_folds, "folds")
    folds = assign_folds(labels[rest], groups[rest], n_folds, seed)
    parts[rest] = [f"fold{fold}" for fold in folds]
    return _build_split(rows, parts, leaky, notes)


def split_holdout(
    table: pd.DataFrame,
    validation_share: float,
    seed: int = 0,
    test_share: float = 0.0,
    test_files: Collection[str] = (),
    leaky: bool = False,
) -> Split:
    """Split into train, validation and, if requested, test.

    Parameters
    ----------
    table, seed, test_share, test_files, leaky
        See `split_into_folds`.
    validation_share : float
        Share of all images that become the validation part, above 0; drawn after the test part. `draw_groups` tells
        how closely it is met.

    Returns
    -------
    Split

    Raises
    ------
    DatasetError
        If the shares do not leave a part for training, or as for `split_into_folds`.
    """
    if not (0 < validation_share < 1 and validation_share + test_share < 1):
        raise DatasetError(
            "`validation_share` must be above 0 and, with `test_share`, below 1. Received: "
            f"{validation_share:g}, {test_share:g}."
        )
    rows, groups, parts, notes = _prepare_rows(table, seed, test_share, test_files, leaky)
    rest = np.flatnonzero(parts == "")
    share = validation_share / (1 - test_share)  # of what test has left
    labels = rows["label"].to_numpy()
    parts[rest] = np.where(draw_groups(labels[rest], groups[rest], share, seed), VALIDATION, TRAIN)
    notes += _describe_thin_classes(labels[rest], groups[rest], 2, "parts")
    return _build_split(rows, parts, leaky, notes)


def find_leaking_groups(table: pd.DataFrame) -> list[str]:
    """List the groups with images in more than one part, sorted; excluded images do not count."""
    included = table[(table["split"] != EXCLUDED) & (table["group"] != "")]
    n_parts = included.groupby("group")["split"].nunique()
    return sorted(str(group) for group in n_parts.index[n_parts > 1])


def _prepare_rows(
    table: pd.DataFrame, seed: int, test_share: float, test_files: Collection[str], leaky: bool
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, list[str]]:
    """Return rows sorted by file, their groups as numbers, their parts ("" or test or excluded), and warnings."""
    _check_table(table, test_share, test_files, leaky)
    rows = table.sort_values("file", kind="stable").reset_index(drop=True)
    if "group" not in rows:
        rows["group"] = ""
    rows = rows[list(COLUMNS)].astype(str)
    # Numbered by first file: what the groups are called cannot change the split.
    groups = np.arange(len(rows)) if leaky else renumber_by_first(rows["group"].to_numpy(str))
    labels = rows["label"].to_numpy()
    parts = np.full(len(rows), "", dtype=object)
    notes: list[str] = []
    if len(test_files):
        fixed = rows["file"].isin(set(test_files)).to_numpy()
        parts[np.isin(groups, groups[fixed])] = EXCLUDED
        parts[fixed] = TEST
        n_excluded = int((parts == EXCLUDED).sum())
        if n_excluded:
            notes.append(
                f"Excluded because they share a group with a fixed test image: {n_excluded} "
                f"{inflect_noun(n_excluded, 'image')}."
            )
    elif test_share:
        parts[draw_groups(labels, groups, test_share, seed)] = TEST
        notes += _describe_thin_classes(labels, groups, 2, "parts (test and the rest)")
    return rows, groups, parts, notes


def _check_table(table: pd.DataFrame, test_share: float, test_files: Collection[str], leaky: bool) -> None:
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing == ["group"] and not leaky:
        raise DatasetError(
            "A split needs groups (source cells or patients), or `leaky=True` for a split that may leak."
        )
    if missing not in ([], ["group"]):
        raise DatasetError(f"A split needs the columns {', '.join(COLUMNS)}. Missing: {', '.join(missing)}.")
    for name in ("file", "label") if leaky else COLUMNS:
        empty = table["file"][table[name].isna() | (table[name].astype(str) == "")]
        if len(empty):
            raise DatasetError(f"Every image must have a {name}. There is none for {name_files(list(empty))}.")
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        raise DatasetError(f"Every file must be in the table once. In it twice: {name_files(list(twice))}.")
    if not 0 <= test_share < 1 or (test_share and len(test_files)):
        raise DatasetError(
            "A test part is either a share from 0 to below 1 or fixed files, not both. Received: "
            f"a share of {test_share:g}, fixed files: {len(test_files)}."
        )
    unknown = sorted(set(test_files) - set(table["file"]))
    if unknown:
        raise DatasetError(f"Test files must be in the dataset. Unknown: {name_files(unknown)}.")


def _describe_thin_classes(labels: np.ndarray, groups: np.ndarray, n_parts: int, parts: str) -> list[str]:
    notes = []
    for label in np.unique(labels):
        n_groups = len(np.unique(groups[labels == label]))
        if n_groups < n_parts:
            notes.append(
                f"{label} has only {n_groups} {inflect_noun(n_groups, 'group')} for {n_parts} {parts}, so it is "
                "missing from at least one of them."
            )
    return notes


def _build_split(rows: pd.DataFrame, parts: np.ndarray, leaky: bool, notes: list[str]) -> Split:
    return Split(rows.assign(split=parts.astype(str)), leaky, tuple(notes))
