"""List the labelled images of a folder or zip, and its problems, without opening an image."""

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
    list_image_files,
    list_readable_images,
)
from bloodcell.datasets.labels.recognition import recognise_contents
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.datasets.labels.tables import read_table_labels
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from bloodcell.datasets.sources.uploads import UNSUPPORTED_IMAGE, UNSUPPORTED_IMAGE_SUFFIXES, ZIP_SUFFIX, get_suffix

_NESTED_ZIP: Final = "A zip inside a dataset is not opened; register it as a separate dataset."


def list_images(path: Path, choice: LayoutChoice | None = None) -> Listing:
    """List the labelled images of a folder or zip; no image is opened.

    Parameters
    ----------
    path : Path
        A folder or zip.
    choice : LayoutChoice, optional
        How to read it; None if there is only one way.

    Returns
    -------
    Listing

    Raises
    ------
    DatasetError
        As `recognise_layout`; if there are several ways to read it and none is chosen, or no way at all; or if the
        chosen way does not apply or gives no labelled image.
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
    """List the labelled images of a folder or zip that can be read in only one way, sorted by file.

    Group numbers and random draws of the commands depend on this order, so it must not change.
    """
    return sorted(list_images(path).images, key=lambda record: record.file)


def _list_contents(contents: Contents, image_files: Sequence[str], choice: LayoutChoice) -> Listing:
    problems = list(contents.problems)
    if choice.layout == TABLE and choice.table is not None:
        suffix = choice.table.suffix.lower()
        image_files = [file for file in image_files if file.lower().endswith(suffix)]
        labels, table_problems = read_table_labels(contents, image_files, choice.table)
        images = [Record(f, labels[f][0], labels[f][1] or extract_split(f)) for f in image_files if f in labels]
        problems += table_problems
    elif choice.layout == FOLDERS and choice.level >= 1:
        images = []
        for file in image_files:
            names = extract_class_folders(file)
            label = names[choice.level - 1].strip() if len(names) >= choice.level else ""
            if label:
                images.append(Record(file, label, extract_split(file)))
            else:
                problems.append(Problem(file, "It is not in a class folder."))
    else:
        raise DatasetError(f"A layout must be folders with a level of at least 1, or a table. Received: {choice}.")
    images, spellings = _unify_spellings(images)
    if not images:
        first = "; ".join(problem.reason for problem in problems[:2])
        raise DatasetError(f"{contents.path.name} has no labelled images when read in this way. {first}")
    problems += [*spellings, *_list_unsupported_files(contents)]
    csv_name = choice.table.csv if choice.table else ""
    stored_files = [contents.files[file] for file in sorted(list_image_files(contents))]
    stored_files += _stat_table_files(contents, csv_name)
    n_other = len(contents.files) - len(stored_files) + (csv_name not in contents.files and csv_name != "")
    return Listing(
        path=contents.path,
        is_zip=contents.is_zip,
        choice=choice,
        images=tuple(images),
        problems=tuple(problems),
        class_names=tuple(sorted({image.label for image in images})),
        splits=tuple(sorted({image.split for image in images} - {""})),
        stored_files=tuple(stored_files),
        n_other_files=n_other,
    )


def _stat_table_files(contents: Contents, csv_name: str) -> list[StoredFile]:
    if not csv_name or csv_name in contents.files:
        return [contents.files[csv_name]] if csv_name else []
    status = Path(csv_name).stat()
    return [StoredFile(csv_name, status.st_size, status.st_mtime_ns)]


def _unify_spellings(images: Sequence[Record]) -> tuple[list[Record], list[Problem]]:
    """Name each class by its most frequent spelling; of equally frequent ones, by the first in sorted order."""
    spellings: dict[str, Counter[str]] = {}
    for image in images:
        spellings.setdefault(normalise_label(image.label), Counter())[image.label] += 1
    chosen = {key: min(counts, key=lambda label: (-counts[label], label)) for key, counts in spellings.items()}
    problems = [
        Problem("", f"{' and '.join(map(repr, sorted(counts)))} are treated as one class, {chosen[key]!r}.")
        for key, counts in sorted(spellings.items())
        if len(counts) > 1
    ]
    return [Record(image.file, chosen[normalise_label(image.label)], image.split) for image in images], problems


def _list_unsupported_files(contents: Contents) -> list[Problem]:
    unsupported = sorted(file for file in contents.files if get_suffix(file) in UNSUPPORTED_IMAGE_SUFFIXES)
    zips = sorted(file for file in contents.files if get_suffix(file) == ZIP_SUFFIX)
    return [Problem(file, UNSUPPORTED_IMAGE) for file in unsupported] + [Problem(file, _NESTED_ZIP) for file in zips]
