"""The images of a command: a folder, a zip, a source described in JSON, or a registered dataset by name.

The layout of a folder or zip is recognised (`datasets.labels.recognition`). Where it can be read in several ways, options
of the command line choose one, and the error names them.
"""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bloodcell.cli.shared.output import make_absolute, print_info, to_printable
from bloodcell.cli.shared.summary import format_names
from bloodcell.core.errors import DatasetError
from bloodcell.core.settings import Settings, load_settings
from bloodcell.datasets.catalog.changes import UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.library import get_dataset, list_datasets
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import open_source_file
from bloodcell.datasets.labels.layouts import FOLDERS, TABLE, LayoutChoice, list_readable_images
from bloodcell.datasets.labels.listing import list_images
from bloodcell.datasets.labels.recognition import FolderLevel, Recognition, recognise_layout
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import TableChoice, TableOption
from bloodcell.datasets.sources.contents import Contents, Problem

# Of `arguments.add_reading_options`, by their names in args.
READING_OPTIONS = ("level", "labels", "file_column", "label_column", "ending")
MAX_PER_KIND = 3
_PARTICULARS = re.compile(r"[0-9]+|'[^']*'")
_MAX_CHOICES = 5  # columns and folders named in an error


@dataclass(frozen=True)
class OpenedImages:
    """The images of a command.

    Attributes
    ----------
    name : str
        Of the dataset, folder or zip.
    contents : Contents
        To read them from.
    records : tuple of Record
        Sorted by file; their labels as written.
    problems : tuple of Problem
        Files and rows that give no labelled image, or a doubtful one.
    dataset : Dataset or None
        If it is a registered one.
    """

    name: str
    contents: Contents
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    dataset: Dataset | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, such as train and test, as written; sorted."""
        return tuple(sorted({record.split for record in self.records} - {""}))

    def select_part(self, name: str) -> list[Record]:
        """Return the images of one of `parts`, regardless of case; empty if there is no such part."""
        return [record for record in self.records if record.split and record.split.casefold() == name.casefold()]


def open_images(text: str, args: argparse.Namespace, needs_labels: bool = True) -> OpenedImages:
    """Open the images that a user names, and list what is wrong with them on stderr.

    Parameters
    ----------
    text : str
        Path of a folder, a zip or a JSON file with the settings of a `SourceSpec`; or id or name of a dataset registered in
        the workspace.
    args : Namespace
        With `READING_OPTIONS`.
    needs_labels : bool, default True
        False takes all images of a folder or zip, those without a label with the label "".

    Returns
    -------
    OpenedImages

    Raises
    ------
    DatasetError, SpecError
        If nothing has that name, or two things have; it can be read in several ways and no option says how; it has no
        labels though they are needed; or a registered dataset has changed.
    """
    path, settings = Path(text), load_settings()
    dataset = _find_registered(text, settings)
    is_described = dataset is None and path.suffix.lower() == ".json"
    if (dataset or is_described) and (args.level is not None or args.labels is not None):
        raise DatasetError(f"--level and --labels are for folders and zips. Received: {text}, whose labels are known.")
    if args.labels is None and (args.file_column or args.label_column or args.ending):
        raise DatasetError(
            "--file-column, --label-column and --ending say how to read the table of --labels, which is missing."
        )
    if is_described:
        images, records = open_source_file(path)
        return OpenedImages(images.path.name, images, tuple(sorted(records, key=lambda record: record.file)))
    path = dataset.path if dataset else path
    choice = dataset.choice if dataset else _choose_layout(path, args, needs_labels)
    images = Contents(path)
    if choice is None:
        print_info(f"{images.path.name}: no labels found; all images are used")
        opened = OpenedImages(images.path.name, images, _add_unlabelled((), images, ""), tuple(images.problems))
    else:
        listing = list_images(path, choice)
        listed: Sequence[Record] = sorted(listing.images, key=lambda record: record.file)
        if not needs_labels and dataset is None:
            listed = _add_unlabelled(listed, images, choice.table.suffix if choice.table else "")
        name = dataset.name if dataset else images.path.name
        opened = OpenedImages(name, images, tuple(listed), listing.problems, dataset)
    for line in _format_problems(opened.problems):
        print_info(line)
    return opened


def _format_problems(problems: Sequence[Problem]) -> list[str]:
    """Return one line per kind of problem: missing labels, double labels, missing files."""
    by_kind: dict[str, list[str]] = {}
    for problem in problems:
        kind = _PARTICULARS.sub("", problem.reason)
        text = f"{problem.file} ({problem.reason})" if problem.file else problem.reason
        by_kind.setdefault(kind, []).append(to_printable(text))
    return [line for texts in by_kind.values() for line in format_names("problems", texts, MAX_PER_KIND)]


def _find_registered(text: str, settings: Settings) -> Dataset | None:
    """Return the dataset of that id or name, None where a file or folder is meant."""
    if text in (os.curdir, os.pardir) or any(sign in text for sign in (os.sep, os.altsep) if sign):
        return None
    if Path(text).exists():
        named = [
            dataset for dataset in list_datasets(settings) if text.casefold() in (dataset.id, dataset.name.casefold())
        ]
        if not named:
            return None
        dataset = named[0]
        if dataset.path != Path(make_absolute(text)):
            raise DatasetError(
                f"{text} is here and is also the name of a registered dataset: write {os.curdir}{os.sep}{text} for what "
                f"is here, or {dataset.id} for the dataset."
            )
    else:
        try:
            dataset = get_dataset(text, settings)
        except DatasetError as error:
            raise DatasetError(f"There is no folder or zip {text} here. {error}") from error
    state = check_dataset_state(dataset, reads_bytes=True)
    if state.kind != UNCHANGED:
        raise DatasetError(f"{state.message} Rescan it on the page Datasets, or give its path.")
    return dataset


def _choose_layout(path: Path, args: argparse.Namespace, needs_labels: bool) -> LayoutChoice | None:
    """Choose how to read a folder or zip; None for one without labels where they are not needed."""
    if args.level is not None:
        if args.level < 1:
            raise DatasetError(f"--level must be 1 or more. Received: {args.level}.")
        return LayoutChoice(FOLDERS, args.level)
    if args.labels is not None:
        return LayoutChoice(TABLE, table=_choose_table(path, args))
    recognition = recognise_layout(path)
    if recognition.choice is not None:
        return recognition.choice
    if recognition.has_boxes:
        raise DatasetError(recognition.question)
    if recognition.likely_levels or recognition.likely_tables:
        ways = [
            *map(_format_level_option, recognition.likely_levels),
            *map(_format_table_option, recognition.likely_tables),
        ]
        name = path.resolve().name
        raise DatasetError(f"{name} can be read in more than one way; choose with an option: {'; or '.join(ways)}.")
    if needs_labels:
        raise DatasetError(_describe_unlabelled(recognition))
    return None


def _describe_unlabelled(recognition: Recognition) -> str:
    ways = [
        *map(_format_level_option, recognition.levels),
        "--labels FILE.csv, a table with a column of file names and one of labels",
    ]
    name = recognition.path.resolve().name
    return f"The labels of {name} are not clear; choose with an option: {'; or '.join(ways)}."


def _choose_table(path: Path, args: argparse.Namespace) -> TableChoice:
    csv = args.labels
    with Contents(path) as contents:
        if csv not in contents.files:
            csv = make_absolute(csv)
    (table,) = recognise_layout(path, csv).tables
    is_clear = table.n_label_names == 1 or len(table.label_columns) == 1
    file_column = args.file_column or (table.file_columns[0] if len(table.file_columns) == 1 else "")
    label_column = args.label_column or (table.label_columns[0] if is_clear else "")
    if not file_column or not label_column or (table.suffixes and not args.ending):
        raise DatasetError(
            f"{Path(csv).name} can be read in more than one way; choose with options: {_format_table_option(table)}."
        )
    return TableChoice(csv, file_column, label_column, table.split_column, args.ending or "")


def _format_level_option(level: FolderLevel) -> str:
    return f"--level {level.level} (folders {_format_choices(level.names, ', ')})"


def _format_table_option(table: TableOption) -> str:
    option = f"--labels {table.csv}"
    if len(table.file_columns) != 1:
        option += f" --file-column {_format_choices(table.file_columns or table.columns)}"
    if table.n_label_names != 1 and len(table.label_columns) != 1:
        option += (
            f" --label-column {_format_choices(table.label_columns[: table.n_label_names] or table.label_columns)}"
        )
    return option + (f" --ending {_format_choices(table.suffixes)}" if table.suffixes else "")


def _format_choices(names: Sequence[str], separator: str = " or ") -> str:
    quoted = [f"'{name}'" if " " in name else name for name in names[:_MAX_CHOICES]]
    more = f" and {len(names) - _MAX_CHOICES} more" if len(names) > _MAX_CHOICES else ""
    return separator.join(quoted) + more


def _add_unlabelled(listed: Sequence[Record], images: Contents, ending: str) -> tuple[Record, ...]:
    """Return the listed images and, with the label "", all others of that ending; sorted by file."""
    known = {record.file for record in listed}
    others = [
        file for file in list_readable_images(images) if file not in known and file.lower().endswith(ending.lower())
    ]
    return tuple(sorted([*listed, *(Record(file, "") for file in others)], key=lambda record: record.file))
