"""The images that a command is given: a folder, a zip, a source described in JSON, or a registered dataset's name.

How a folder or zip is meant is recognised (`datasets.labels.recognition`); where it could mean several things the options of
command line say which, and the error names them.
"""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bloodcell.cli.shared.output import print_info, to_printable
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

READING_OPTIONS = ("level", "labels", "file_column", "label_column", "ending")  # of `cli`, by their names in args
MAX_PER_KIND = 3
_PARTICULARS = re.compile(r"[0-9]+|'[^']*'")
_MAX_CHOICES = 5  # columns and folders named in an error


@dataclass(frozen=True)
class OpenedImages:
    """The images of a command.

    name : of the dataset, folder or zip
    contents : Contents, to read them from
    records : sorted by file; their labels as written
    problems : files and rows that give no labelled image, or a doubtful one
    dataset : Dataset, if it is a registered one
    """

    name: str
    contents: Contents
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    dataset: Dataset | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Train, test and so on, as written; sorted."""
        return tuple(sorted({record.split for record in self.records} - {""}))

    def select_part(self, name: str) -> list[Record]:
        """The images of one of `parts`, whatever its capitals; empty if there is no such part."""
        return [record for record in self.records if record.split and record.split.casefold() == name.casefold()]


def open_images(text: str, args: argparse.Namespace, needs_labels: bool = True) -> OpenedImages:
    """Open what a user calls `text`, and name on stderr what in it is wrong.

    Parameters
    ----------
    text : path of a folder, a zip or a JSON file with the settings of a `SourceSpec`; or id or name of a dataset
        registered in the workspace
    args : Namespace with `READING_OPTIONS`
    needs_labels : False takes all pictures of a folder or zip, those without a label with the label ""

    Raises
    ------
    DatasetError, SpecError
        If there is nothing of that name, or two things; it can be read in several ways and no option says how; it has
        no labels though they are needed; or a registered dataset has changed.
    """
    path, settings = Path(text), load_settings()
    dataset = _find_registered(text, settings)
    is_described = dataset is None and path.suffix.lower() == ".json"
    if (dataset or is_described) and (args.level is not None or args.labels is not None):
        raise DatasetError(f"--level and --labels are for folders and zips. Received: {text}, whose labels are known.")
    if args.labels is None and (args.file_column or args.label_column or args.ending):
        raise DatasetError("--file-column, --label-column and --ending say how to read the table given by --labels.")
    if is_described:
        images, records = open_source_file(path)
        return OpenedImages(images.path.name, images, tuple(sorted(records, key=lambda record: record.file)))
    path = dataset.path if dataset else path
    choice = dataset.choice if dataset else _choose_layout(path, args, needs_labels)
    images = Contents(path)
    if choice is None:
        print_info(f"{images.path.name}: no labels are known, all pictures are taken")
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
    """One line for each kind of problem: blank labels, double labels, missing files."""
    by_kind: dict[str, list[str]] = {}
    for one in problems:
        kind = _PARTICULARS.sub("", one.reason)
        by_kind.setdefault(kind, []).append(to_printable(f"{one.file} ({one.reason})" if one.file else one.reason))
    return [line for some in by_kind.values() for line in format_names("problems", some, MAX_PER_KIND)]


def _find_registered(text: str, settings: Settings) -> Dataset | None:
    """The dataset of that id or name, None where a file or folder is meant."""
    if text in (os.curdir, os.pardir) or any(sign in text for sign in (os.sep, os.altsep) if sign):
        return None
    if Path(text).exists():
        known = [one for one in list_datasets(settings) if text.casefold() in (one.id, one.name.casefold())]
        if not known:
            return None
        dataset = known[0]
        if dataset.path != Path(os.path.abspath(text)):
            raise DatasetError(
                f"{text} lies here and is also the name of a registered dataset: say {os.curdir}{os.sep}{text} for what "
                f"lies here, {dataset.id} for the dataset."
            )
    else:
        try:
            dataset = get_dataset(text, settings)
        except DatasetError as error:
            raise DatasetError(f"There is no folder or zip {text} here. {error}") from error
    state = check_dataset_state(dataset, reads_bytes=True)
    if state.kind != UNCHANGED:
        raise DatasetError(f"{state.message} Look at its images anew on the page Datasets, or give its path.")
    return dataset


def _choose_layout(path: Path, args: argparse.Namespace, needs_labels: bool) -> LayoutChoice | None:
    """How to read a folder or zip; None for one without labels where they are not needed."""
    if args.level is not None:
        if args.level < 1:
            raise DatasetError(f"--level must be 1 or more. Received: {args.level}.")
        return LayoutChoice(FOLDERS, args.level)
    if args.labels is not None:
        return LayoutChoice(TABLE, table=_choose_table(path, args))
    found = recognise_layout(path)
    if found.choice is not None:
        return found.choice
    if found.likely_levels or found.likely_tables:
        ways = [*map(_format_level_option, found.likely_levels), *map(_format_table_option, found.likely_tables)]
        raise DatasetError(f"{path.name} can be read in more than one way; choose by an option: {'; or '.join(ways)}.")
    if needs_labels:
        raise DatasetError(_describe_unlabelled(found))
    return None


def _describe_unlabelled(found: Recognition) -> str:
    ways = [
        *map(_format_level_option, found.levels),
        "--labels FILE.csv, a table with a column of file names and one of labels",
    ]
    return f"{found.path.name} shows no clear labels; say where they are by an option: {'; or '.join(ways)}."


def _choose_table(path: Path, args: argparse.Namespace) -> TableChoice:
    csv = args.labels
    with Contents(path) as contents:
        if csv not in contents.files:
            csv = os.path.abspath(csv)
    (table,) = recognise_layout(path, csv).tables
    is_clear = table.n_label_names == 1 or len(table.label_columns) == 1
    file_column = args.file_column or (table.file_columns[0] if len(table.file_columns) == 1 else "")
    label_column = args.label_column or (table.label_columns[0] if is_clear else "")
    if not file_column or not label_column or (table.suffixes and not args.ending):
        raise DatasetError(
            f"{Path(csv).name} can be read in more than one way; say more: {_format_table_option(table)}."
        )
    return TableChoice(csv, file_column, label_column, table.split_column, args.ending or "")


def _format_level_option(level: FolderLevel) -> str:
    return f"--level {level.level} (folders {_format_choices(level.names, ', ')})"


def _format_table_option(table: TableOption) -> str:
    words = f"--labels {table.csv}"
    if len(table.file_columns) != 1:
        words += f" --file-column {_format_choices(table.file_columns or table.columns)}"
    if table.n_label_names != 1 and len(table.label_columns) != 1:
        words += f" --label-column {_format_choices(table.label_columns[: table.n_label_names] or table.label_columns)}"
    return words + (f" --ending {_format_choices(table.suffixes)}" if table.suffixes else "")


def _format_choices(names: Sequence[str], between: str = " or ") -> str:
    quoted = [f"'{name}'" if " " in name else name for name in names[:_MAX_CHOICES]]
    more = f" and {len(names) - _MAX_CHOICES} more" if len(names) > _MAX_CHOICES else ""
    return between.join(quoted) + more


def _add_unlabelled(listed: Sequence[Record], images: Contents, ending: str) -> tuple[Record, ...]:
    """The images and, with the label "", all other pictures of that ending; sorted by file."""
    known = {record.file for record in listed}
    others = [
        file for file in list_readable_images(images) if file not in known and file.lower().endswith(ending.lower())
    ]
    return tuple(sorted([*listed, *(Record(file, "") for file in others)], key=lambda record: record.file))
