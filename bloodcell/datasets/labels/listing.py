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
    extract_class_folders,
    extract_split,
    get_suffix,
    list_image_files,
    list_readable_images,
    normalise_label,
)
from bloodcell.datasets.labels.recognition import recognise_contents
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import read_table_labels
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from bloodcell.datasets.sources.uploads import UNSUPPORTED_IMAGE, UNSUPPORTED_IMAGE_SUFFIXES, ZIP_SUFFIX

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
        image_files = list_readable_images(contents)
        if choice is None:
            recognition = recognise_contents(contents, image_files, None)
            if recognition.choice is None:
                raise DatasetError(recognition.question)
            choice = recognition.choice
        return _list_contents(contents, image_files, choice)


def list_sorted_records(path: Path) -> list[Record]:
    """The labelled images of a folder or zip that can be read in one way only, sorted by file, as commands take them.

    Group numbers and random draws follow this order, so it stays what it is.
    """
    return sorted(list_images(path).images, key=lambda record: record.file)


def _list_contents(contents: Contents, image_files: Sequence[str], choice: LayoutChoice) -> Listing:
    problems = list(contents.problems)
    if choice.layout == TABLE and choice.table is not None:
        suffix = choice.table.suffix.lower()
        image_files = [file for file in image_files if file.lower().endswith(suffix)]
        labels, found = read_table_labels(contents, image_files, choice.table)
        images = [Record(f, labels[f][0], labels[f][1] or extract_split(f)) for f in image_files if f in labels]
        problems += found
    elif choice.layout == FOLDERS and choice.level >= 1:
        images = []
        for file in image_files:
            names = extract_class_folders(file)
            label = names[choice.level - 1].strip() if len(names) >= choice.level else ""
            if label:
                images.append(Record(file, label, extract_split(file)))
            else:
                problems.append(Problem(file, "It lies in no class folder."))
    else:
        raise DatasetError(f"A layout must be folders with a level from 1, or a table. Received: {choice}.")
    images, spellings = _unify_spellings(images)
    if not images:
        first = "; ".join(problem.reason for problem in problems[:2])
        raise DatasetError(f"{contents.path.name} gives no labelled image that way. {first}")
    problems += [*spellings, *_list_unsupported_files(contents)]
    csv_name = choice.table.csv if choice.table else ""
    stored = [contents.files[file] for file in sorted(list_image_files(contents))]
    stored += _stat_table_files(contents, csv_name)
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


def _stat_table_files(contents: Contents, csv_name: str) -> list[StoredFile]:
    if not csv_name or csv_name in contents.files:
        return [contents.files[csv_name]] if csv_name else []
    status = Path(csv_name).stat()
    return [StoredFile(csv_name, status.st_size, status.st_mtime_ns)]


def _unify_spellings(images: Sequence[Record]) -> tuple[list[Record], list[Problem]]:
    """Call each class by its most frequent spelling; of equally frequent ones, by the first in sorted order."""
    spellings: dict[str, Counter[str]] = {}
    for image in images:
        spellings.setdefault(normalise_label(image.label), Counter())[image.label] += 1
    chosen = {key: min(found, key=lambda label: (-found[label], label)) for key, found in spellings.items()}
    problems = [
        Problem("", f"{' and '.join(map(repr, sorted(found)))} are taken as one class, {chosen[key]!r}.")
        for key, found in sorted(spellings.items())
        if len(found) > 1
    ]
    return [Record(image.file, chosen[normalise_label(image.label)], image.split) for image in images], problems


def _list_unsupported_files(contents: Contents) -> list[Problem]:
    foreign = sorted(file for file in contents.files if get_suffix(file) in UNSUPPORTED_IMAGE_SUFFIXES)
    zips = sorted(file for file in contents.files if get_suffix(file) == ZIP_SUFFIX)
    return [Problem(file, UNSUPPORTED_IMAGE) for file in foreign] + [Problem(file, _NESTED_ZIP) for file in zips]
