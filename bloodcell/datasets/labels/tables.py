"""Tables of labels (CSV): which tables there are, which columns may be meant, and which label each row gives which image.

Nothing is guessed: a row without a label, with several labels, or that fits no image or several is a problem and gives
no label.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.csv_tables import Table, format_row_name, read_table
from bloodcell.datasets.labels.image_names import ImageNames
from bloodcell.datasets.sources.contents import Contents, Problem

TABLE_SUFFIXES: Final = (".csv", ".tsv")
MAX_TABLES: Final = 20

_BLANK_LABELS: Final = frozenset(("", "nan", "na", "n/a", "null", "none", "?"))
_BETWEEN_LABELS: Final = re.compile(r"[,;|\r\n]")
_LABEL_NAMES: Final = frozenset(
    ("label", "labels", "class", "classname", "classlabel", "category", "celltype", "diagnosis", "target", "prediction")
)
_SPLIT_NAMES: Final = frozenset(("split", "subset", "partition"))


@dataclass(frozen=True)
class TableChoice:
    """Which table gives the labels, and how to read it.

    Attributes
    ----------
    csv : str
        A file of the dataset, or the whole path of one elsewhere.
    file_column, label_column : str
        Columns with the image's name or number, and with its label.
    split_column : str, default ""
        Column with train, test and so on; "" takes the split from the folders.
    suffix : str, default ""
        Such as ".bmp": only files with this suffix are images of the dataset; "" takes all.
    may_hold_commas : bool, default False
        Whether a label such as "NEUTROPHIL, BAND" is one label, not two.
    """

    csv: str
    file_column: str
    label_column: str
    split_column: str = ""
    suffix: str = ""
    may_hold_commas: bool = False


@dataclass(frozen=True)
class TableOption:
    """A table that may hold the labels, for the user to choose from.

    Attributes
    ----------
    csv : str
        A file of the dataset, or the whole path of one elsewhere.
    n_rows : int
        Rows below the header.
    columns : tuple of str
        All of them, in the table's order.
    file_columns : tuple of str
        Those that name at least half of the images (or fill half of the rows with names of images).
    label_columns : tuple of str
        The other columns that are not entirely blank; those whose name means "label" first.
    n_label_names : int
        How many of `label_columns` have such a name.
    split_column : str
        The column named split, subset or partition, else "".
    suffixes : tuple of str
        To choose from, if a row fits images that differ only in their suffix; else ().
    """

    csv: str
    n_rows: int
    columns: tuple[str, ...]
    file_columns: tuple[str, ...]
    label_columns: tuple[str, ...]
    n_label_names: int
    split_column: str
    suffixes: tuple[str, ...]

    def get_only_choice(self) -> TableChoice | None:
        """Return the only way to read the table; None if its columns or suffix are ambiguous."""
        is_clear = self.n_label_names == 1 or len(self.label_columns) == 1
        if len(self.file_columns) != 1 or not is_clear or self.suffixes:
            return None
        return TableChoice(self.csv, self.file_columns[0], self.label_columns[0], self.split_column)


def list_table_options(
    contents: Contents, image_files: Sequence[str], csv_name: str | None = None
) -> list[TableOption]:
    """List the tables that name images, in order of their names.

    Parameters
    ----------
    contents : Contents
        The dataset.
    image_files : sequence of str
        Its images.
    csv_name : str, optional
        List this table alone, whatever it names.

    Returns
    -------
    list of TableOption
        Without tables that cannot be read, and without those after the first `MAX_TABLES`; tables nearest to the
        dataset's own folder come first.

    Raises
    ------
    DatasetError
        If `csv_name` cannot be read.
    """
    if csv_name is not None:
        return [_build_option(read_table(contents, csv_name), image_files)]
    options = []
    table_files = [file for file in contents.files if file.lower().endswith(TABLE_SUFFIXES)]
    for file in sorted(table_files, key=lambda file: (file.count("/"), file))[:MAX_TABLES]:
        try:
            option = _build_option(read_table(contents, file), image_files)
        except DatasetError:
            continue
        if option.file_columns and option.label_columns:
            options.append(option)
    return options


def read_table_labels(
    contents: Contents, image_files: Sequence[str], choice: TableChoice
) -> tuple[dict[str, tuple[str, str]], list[Problem]]:
    """Read the labels of images from a table.

    Parameters
    ----------
    contents : Contents
        The dataset.
    image_files : sequence of str
        Its images.
    choice : TableChoice
        The table, and how to read it.

    Returns
    -------
    labels : dict of str to (str, str)
        Label and split of each image. The split is "" without `choice.split_column`. Labels are as written, without
        blanks around them.
    problems : list of Problem
        Rows without a name or label, with several labels in one cell, or that fit no image or several; images that
        no row names, or that rows give different labels or splits (left out) or the same label twice (counted once).

    Raises
    ------
    DatasetError
        As `read_table`, or if a column is missing.
    """
    table = read_table(contents, choice.csv)
    matched, problems = _match_rows(table, image_files, choice)
    rows_by_file: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    doubtful = set()
    for number, file, row in matched:
        label = row[choice.label_column]
        if label.casefold() in _BLANK_LABELS:
            received = f" Received: {label!r}." if label else ""
            problems.append(Problem(file, f"Row {number} of {Path(choice.csv).name} gives no label.{received}"))
        elif not choice.may_hold_commas and _BETWEEN_LABELS.search(label):
            reason = f"Row {number} of {Path(choice.csv).name} gives more than one label: {label!r}."
            problems.append(Problem(file, reason))
            doubtful.add(file)
        else:
            rows_by_file[file].append((number, label, row[choice.split_column] if choice.split_column else ""))
    labels = {}
    for file, rows in rows_by_file.items():
        if len(rows) > 1:
            problems.append(_describe_repeated_rows(file, rows))
        if file not in doubtful and len({(label.casefold(), split.casefold()) for _, label, split in rows}) == 1:
            labels[file] = rows[0][1:]
    named_files = {file for _, file, _ in matched}
    unnamed_reason = f"No row of {Path(choice.csv).name} names it."
    problems += [Problem(file, unnamed_reason) for file in image_files if file not in named_files]
    return labels, problems


def read_table_column(
    contents: Contents, image_files: Sequence[str], choice: TableChoice, column: str
) -> dict[str, str]:
    """Read another column of the table, such as the patient or slide.

    Parameters
    ----------
    contents : Contents
        The dataset.
    image_files : sequence of str
        Its images.
    choice : TableChoice
        The table, and how to read it.
    column : str
        The column to read.

    Returns
    -------
    dict of str to str
        Value of each image that has one.

    Raises
    ------
    DatasetError
        If two rows have different values for one image, or the column is missing.
    """
    table = read_table(contents, choice.csv)
    values: dict[str, str] = {}
    for number, file, row in _match_rows(table, image_files, choice, column)[0]:
        if row[column] and values.setdefault(file, row[column]) != row[column]:
            raise DatasetError(
                f"{column!r} must have one value for each image. Received for {file}: {values[file]!r} and, in row "
                f"{number}, {row[column]!r}."
            )
    return values


def _build_option(table: Table, image_files: Sequence[str]) -> TableOption:
    names = ImageNames(image_files, table.csv)
    enough = max(1, min(len(table.rows), len(image_files)) / 2)
    texts = {column: {row[column] for _, row in table.rows} - {""} for column in table.columns}
    fits = {column: [names.find(text) for text in texts[column]] for column in table.columns}
    file_columns = tuple(c for c in table.columns if len(set().union(*fits[c])) and sum(map(bool, fits[c])) >= enough)
    labels = [column for column in table.columns if texts[column] and file_columns != (column,)]
    by_name = [column for column in labels if _normalise_column_name(column) in _LABEL_NAMES]
    splits = [column for column in labels if _normalise_column_name(column) in _SPLIT_NAMES]
    suffixes: set[str] = set()
    for column in file_columns[:1]:
        for files in fits[column]:
            if len(files) > 1 and len({PurePosixPath(file).with_suffix("") for file in files}) == 1:
                suffixes |= {PurePosixPath(file).suffix for file in files}
    return TableOption(
        csv=table.csv,
        n_rows=len(table.rows),
        columns=table.columns,
        file_columns=file_columns,
        label_columns=(*by_name, *(column for column in labels if column not in (*by_name, *splits))),
        n_label_names=len(by_name),
        split_column=splits[0] if len(splits) == 1 else "",
        suffixes=tuple(sorted(suffixes)),
    )


def _match_rows(
    table: Table, image_files: Sequence[str], choice: TableChoice, *more_columns: str
) -> tuple[list[tuple[int, str, dict[str, str]]], list[Problem]]:
    """Return the rows that fit just one image, as (row number, image, row), and the problems of the others."""
    columns = (choice.file_column, choice.label_column, *filter(None, [choice.split_column]), *more_columns)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DatasetError(f"{table.csv} has no column {missing[0]!r}. Its columns: {list(table.columns)}.")
    names = ImageNames(image_files, table.csv)
    matched, problems = [], list(table.problems)
    for number, row in table.rows:
        text = row[choice.file_column]
        files = names.find(text) if text else set()
        if len(files) == 1:
            matched.append((number, next(iter(files)), row))
            continue
        if not text:
            reason = f"The row names no image: {choice.file_column!r} is blank."
        elif not files:
            reason = f"The row names {text!r}, but there is no such image."
        else:
            reason = f"The row names {text!r}, which fits {len(files)} images: {', '.join(sorted(files)[:3])}."
        problems.append(Problem(format_row_name(table.csv, number), reason))
    return matched, problems


def _describe_repeated_rows(file: str, rows: list[tuple[int, str, str]]) -> Problem:
    numbers = ", ".join(str(number) for number, _, _ in rows)
    readings = sorted({" in ".join(filter(None, (label, split))) for _, label, split in rows})
    if len({text.casefold() for text in readings}) == 1:
        return Problem(file, f"Rows {numbers} all name it as {readings[0]}; it is counted once.")
    return Problem(file, f"Rows {numbers} contradict each other ({' / '.join(readings)}); it is left out.")


def _normalise_column_name(column: str) -> str:
    return "".join(letter for letter in column.casefold() if letter.isalnum())
