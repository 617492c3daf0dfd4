"""Groups that are known without comparing images: from a table, or from a pattern in the file names, such as the patient.

A table is a CSV with the columns file and group, as `encode_groups_csv` writes it, or with any column that holds groups.

A pattern comes from a user and may take years on one name, as ``(a+)+$`` does. Python's `re` cannot be interrupted from
a thread, so patterns are tried in a process of their own, which is ended when its time is up. The package `regex` has a
time limit, but not for compiling: ``(a{99999999})`` takes 4 GB there and would take the whole app with it.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import encode_csv, read_csv
from bloodcell.datasets.labels.records import name_files

HEADER: Final = ("file", "group")
FILE_COLUMNS: Final = ("file", "filename", "image")
MAX_PATTERN_CHARS: Final = 500
TIME_LIMIT_S: Final = 5.0  # 100,000 names with a sound pattern take 0.2 s

_CHILD_CODE: Final = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
request = json.load(sys.stdin)
try:
    pattern = re.compile(request["pattern"])
except (re.error, OverflowError, RecursionError, MemoryError) as error:
    reply = {"problem": str(error) or type(error).__name__}
else:
    matches = [pattern.search(name) for name in request["names"]]
    texts = [match.groups("") if match else () for match in matches]
    reply = {"n_marked": pattern.groups, "groups": ["-".join(some) if any(some) else "" for some in texts]}
json.dump(reply, sys.stdout)
"""


def encode_groups_csv(group_of: Mapping[str, str]) -> bytes:
    r"""Write file -> group as CSV, UTF-8 without BOM, in the order given.

    Examples
    --------
    >>> encode_groups_csv({"a.png": "7", "b.png": "7"})
    b'file,group\r\na.png,7\r\nb.png,7\r\n'
    """
    return encode_csv(HEADER, group_of.items(), bom=False)


def read_groups(path: Path) -> dict[str, str]:
    """Read a file of groups, file -> group.

    Raises
    ------
    DatasetError
        If it cannot be read, lacks a column, or gives one file two groups.
    """
    group_of: dict[str, str] = {}
    for row in read_csv(path, HEADER):
        _assign_group(group_of, row["file"], row["group"], path)
    return group_of


def read_complete_groups(path: Path, files: Iterable[str]) -> dict[str, str]:
    """Read the groups of these files; DatasetError also if one of them has none."""
    return _select_groups(read_groups(path), files, path)


@dataclass(frozen=True)
class NameGroups:
    """What a pattern finds in the file names of a dataset.

    Attributes
    ----------
    pattern : str
        The regular expression.
    group_of : mapping of str to str
        File -> group, for the files that match.
    unmatched : tuple of str, default ()
        Files that do not match, sorted.
    """

    pattern: str
    group_of: Mapping[str, str] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of files of each group, largest first, then by name."""
        counts = Counter(self.group_of.values())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def pick_examples(self, n: int = 10) -> list[tuple[str, str]]:
        """Pick (file, group) of at most n files of different groups, to show what the pattern takes from a name."""
        first: dict[str, str] = {}
        for file in sorted(self.group_of):
            first.setdefault(self.group_of[file], file)
        return [(file, group) for group, file in list(first.items())[:n]]


def preview_name_groups(pattern: str, files: Sequence[str], time_limit_s: float = TIME_LIMIT_S) -> NameGroups:
    r"""Try a regular expression on the names of files.

    Parameters
    ----------
    pattern : str
        Searched in the file's name, or in its whole path in the dataset if the pattern has a `/`. What its round
        brackets match is the group: ``C(\d+)P`` takes 33 from C33P1thinF_IMG_1.png, and several brackets are joined
        by `-`. A file in which the brackets match nothing has no group.
    files : sequence of str
        Paths in the dataset, with `/`.
    time_limit_s : float, default 5.0
        For all names together.

    Returns
    -------
    NameGroups

    Raises
    ------
    DatasetError
        If the pattern is too long, wrong, has no round brackets, or takes longer than the limit.

    Examples
    --------
    >>> preview = preview_name_groups(r"C(\d+)P", ["C33P1_1.png", "C33P1_2.png", "C7P2_1.png", "notes.png"])
    >>> preview.sizes, preview.unmatched
    ({'33': 2, '7': 1}, ('notes.png',))
    """
    if not pattern or len(pattern) > MAX_PATTERN_CHARS:
        raise DatasetError(f"A pattern must have 1 to {MAX_PATTERN_CHARS} characters. Received: {len(pattern)}.")
    names = list(files) if "/" in pattern else [PurePosixPath(file).name for file in files]
    groups = _search_names(pattern, names, time_limit_s)
    matched = {file: group for file, group in zip(files, groups, strict=True) if group}
    return NameGroups(pattern, matched, tuple(sorted(set(files) - matched.keys())))


def group_by_name(pattern: str, files: Sequence[str]) -> dict[str, str]:
    """Give every file its group by a pattern, as `preview_name_groups` does.

    Raises
    ------
    DatasetError
        As there, or if a file does not match.
    """
    preview = preview_name_groups(pattern, files)
    if preview.unmatched:
        raise DatasetError(
            f"The pattern {pattern!r} must match every file. It does not match {name_files(preview.unmatched)}."
        )
    return {file: preview.group_of[file] for file in files}


def read_column_groups(path: Path, column: str, files: Sequence[str]) -> dict[str, str]:
    """Give every file the group that a CSV has for it in one of its columns.

    The CSV names the files in the column file, filename or image (in any case), by their path in the dataset or by
    their name alone where only one file has that name.

    Parameters
    ----------
    path : Path
        The CSV.
    column : str
        The column with the groups.
    files : sequence of str
        Paths in the dataset, with `/`.

    Returns
    -------
    dict of str to str
        File -> group, in the order of `files`.

    Raises
    ------
    DatasetError
        If the CSV cannot be used, a name fits several files, or a file has no group or two groups.
    """
    rows = read_csv(path, (column,))
    header = list(rows[0]) if rows else []
    file_columns = [name for name in header if name.strip().lower() in FILE_COLUMNS and name != column]
    if len(file_columns) != 1:
        raise DatasetError(
            f"{path.name} must have one column named {', '.join(FILE_COLUMNS)}. Found: {', '.join(header) or 'no rows'}."
        )
    by_text: dict[str, list[str]] = {}
    for file in files:
        for text in {file, PurePosixPath(file).name}:
            by_text.setdefault(text, []).append(file)
    dataset_files = set(files)
    group_of: dict[str, str] = {}
    for row in rows:
        text, group = row[file_columns[0]].strip(), row[column].strip()
        fitting = [text] if text in dataset_files else by_text.get(text, [])
        if len(fitting) > 1:
            raise DatasetError(
                f"{path.name}: {text} fits {len(fitting)} files, among them {fitting[0]} and {fitting[1]}."
            )
        for file in fitting:
            _assign_group(group_of, file, group, path)
    return _select_groups(group_of, files, path)


def _assign_group(group_of: dict[str, str], file: str, group: str, path: Path) -> None:
    if group_of.setdefault(file, group) != group:
        raise DatasetError(f"{path.name} gives {file} two groups: {group_of[file]} and {group}.")


def _select_groups(group_of: Mapping[str, str], files: Iterable[str], path: Path) -> dict[str, str]:
    files = list(files)
    missing = [file for file in files if not group_of.get(file)]
    if missing:
        raise DatasetError(f"{path.name} must give every image a group. There is none for {name_files(missing)}.")
    return {file: group_of[file] for file in files}


def _search_names(pattern: str, names: list[str], time_limit_s: float) -> list[str]:
    """Return what the brackets of the pattern match in each name, "" where it does not match."""
    request = json.dumps({"pattern": pattern, "names": names})
    command = [sys.executable, "-I", "-S", "-c", _CHILD_CODE]
    try:
        child = subprocess.run(command, input=request, capture_output=True, text=True, timeout=time_limit_s, check=True)
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"The pattern {pattern!r} takes more than {time_limit_s:g} s on these names; "
            "avoid a repeat inside another repeat."
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise DatasetError(f"The pattern {pattern!r} could not be tried on these names.") from error
    reply = json.loads(child.stdout)
    if "problem" in reply:
        raise DatasetError(f"The pattern {pattern!r} is not a regular expression: {reply['problem']}.")
    if not reply["n_marked"]:
        raise DatasetError(f"The pattern {pattern!r} must mark the group with round brackets, as in C(\\d+)P.")
    return list(reply["groups"])
