"""List the labelled images of a folder or zip, and what gives none, without opening an image."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.layouts import (
    FOLDERS,
    TABLE,
    LayoutChoice,
    Listing,
    class_folders,
    folded,
    picture_files,
    readable_pictures,
    split_of,
    suffix_of,
)
from bloodcell.datasets.labels.recognition import recognise_contents
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import table_labels
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from bloodcell.datasets.sources.uploads import FOREIGN_PICTURE, FOREIGN_PICTURE_SUFFIXES, ZIP_SUFFIX

_NESTED_ZIP: Final = "A zip inside a folder or zip is not opened; register it as a dataset of its own."


def list_images(path: Path, choice: LayoutChoice | None = None) -> Listing:
    """List the labelled images of a folder or zip; no image is opened.

    Parameters
    ----------
    path : Path of a folder or zip
    choice : how to read it; None if there is one way only

    Raises
    ------
    DatasetError
        As `recognise`; or there are several ways to read it and none is chosen, or none at all; or what is chosen is
        not there or gives no labelled image.
    """
    with Contents(path) as contents:
        pictures = readable_pictures(contents)
        if choice is None:
            recognition = recognise_contents(contents, pictures, None)
            if recognition.choice is None:
                raise DatasetError(recognition.question)
            choice = recognition.choice
        return _list(contents, pictures, choice)


def sorted_records(path: Path) -> list[Record]:
    """The labelled images of a folder or zip that can be read in one way only, sorted by file, as commands take them.

    Group numbers and random draws follow this order, so it stays what it is.
    """
    return sorted(list_images(path).images, key=lambda record: record.file)


def _list(contents: Contents, pictures: Sequence[str], choice: LayoutChoice) -> Listing:
    problems = list(contents.problems)
    if choice.layout == TABLE and choice.table is not None:
        suffix = choice.table.suffix.lower()
        pictures = [file for file in pictures if file.lower().endswith(suffix)]
        labels, found = table_labels(contents, pictures, choice.table)
        images = [Record(f, labels[f][0], labels[f][1] or split_of(f)) for f in pictures if f in labels]
        problems += found
    elif choice.layout == FOLDERS and choice.level >= 1:
        images = []
        for file in pictures:
            names = class_folders(file)
            label = names[choice.level - 1].strip() if len(names) >= choice.level else ""
            if label:
                images.append(Record(file, label, split_of(file)))
            else:
                problems.append(Problem(file, "It lies in no class folder."))
    else:
        raise DatasetError(f"A layout must be folders with a level from 1, or a table. Received: {choice}.")
    images, spellings = _one_spelling(images)
    if not images:
        first = "; ".join(problem.reason for problem in problems[:2])
        raise DatasetError(f"{contents.path.name} gives no labelled image that way. {first}")
    problems += [*spellings, *_foreign_files(contents)]
    csv_name = choice.table.csv if choice.table else ""
    stored = [contents.files[file] for file in sorted(picture_files(contents))]
    stored += _stored_table(contents, csv_name)
    n_other = len(contents.files) - len(stored) + (csv_name not in contents.files and csv_name != "")
    return Listing(
        path=contents.path,
        is_zip=contents.is_zip,
        choice=choice,
        images=tuple(images),
        problems=tuple(problems),
        class_names=tuple(sorted({image.label for image in images})),
        splits=tuple(sorted({image.split for image in images} - {""})),
        stored=tuple(stored),
        n_other_files=n_other,
    )


def _stored_table(contents: Contents, csv_name: str) -> list[StoredFile]:
    if not csv_name or csv_name in contents.files:
        return [contents.files[csv_name]] if csv_name else []
    status = Path(csv_name).stat()
    return [StoredFile(csv_name, status.st_size, status.st_mtime_ns)]


def _one_spelling(images: Sequence[Record]) -> tuple[list[Record], list[Problem]]:
    """Call each class by its most frequent spelling; of equally frequent ones, by the first in sorted order."""
    spellings: dict[str, Counter[str]] = {}
    for image in images:
        spellings.setdefault(folded(image.label), Counter())[image.label] += 1
    chosen = {key: min(found, key=lambda label: (-found[label], label)) for key, found in spellings.items()}
    problems = [
        Problem("", f"{' and '.join(map(repr, sorted(found)))} are taken as one class, {chosen[key]!r}.")
        for key, found in sorted(spellings.items())
        if len(found) > 1
    ]
    return [Record(image.file, chosen[folded(image.label)], image.split) for image in images], problems


def _foreign_files(contents: Contents) -> list[Problem]:
    foreign = sorted(file for file in contents.files if suffix_of(file) in FOREIGN_PICTURE_SUFFIXES)
    zips = sorted(file for file in contents.files if suffix_of(file) == ZIP_SUFFIX)
    return [Problem(file, FOREIGN_PICTURE) for file in foreign] + [Problem(file, _NESTED_ZIP) for file in zips]
