"""Groups that are known without looking: from a pattern in the file names, such as the patient, or from a table.

A pattern comes from a user and may take years on one name, as ``(a+)+$`` does. Python's `re` cannot be interrupted
from a thread, so patterns are tried in a process of their own, which is ended when its time is up.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import read_csv

MAX_PATTERN_CHARS: Final = 500
TIME_LIMIT_S: Final = 5.0  # 100,000 names with a sound pattern take 0.2 s
FILE_COLUMNS: Final = ("file", "filename", "image")

_CHILD_CODE: Final = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
try:
    pattern = re.compile(asked["pattern"])
except (re.error, OverflowError, RecursionError, MemoryError) as error:
    answer = {"problem": str(error) or type(error).__name__}
else:
    found = [pattern.search(name) for name in asked["names"]]
    texts = [one.groups("") if one else () for one in found]
    answer = {"n_marked": pattern.groups, "groups": ["-".join(some) if any(some) else "" for some in texts]}
json.dump(answer, sys.stdout)
"""


@dataclass(frozen=True)
class NameGroups:
    """What a pattern yields for the names of a dataset.

    Attributes
    ----------
    pattern : str
    group_of : file -> group, for the files that match
    unmatched : files that do not match, sorted
    """

    pattern: str
    group_of: Mapping[str, str] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Group -> number of its files, largest first, then by name."""
        counts = Counter(self.group_of.values())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def examples(self, n: int = 10) -> list[tuple[str, str]]:
        """(file, group) of at most n files of different groups, to show what the pattern takes from a name."""
        first: dict[str, str] = {}
        for file in sorted(self.group_of):
            first.setdefault(self.group_of[file], file)
        return [(file, group) for group, file in list(first.items())[:n]]


def preview_name_groups(pattern: str, files: Sequence[str], time_limit_s: float = TIME_LIMIT_S) -> NameGroups:
    """Try a regular expression on the names of files.

    Parameters
    ----------
    pattern : str, searched in the file's name, or in its whole path in the dataset if the pattern has a `/`. What
        its round brackets hold is the group: ``C(\\d+)P`` takes 33 from C33P1thinF_IMG_1.png, and several brackets
        are joined by `-`. A file on which the brackets hold nothing does not match.
    files : paths in the dataset, with `/`
    time_limit_s : float

    Returns
    -------
    NameGroups

    Raises
    ------
    DatasetError
        If the pattern is too long, wrong, has no round brackets, or takes longer than the limit.
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
        As there, and if a file does not match.
    """
    preview = preview_name_groups(pattern, files)
    if preview.unmatched:
        n_others = len(preview.unmatched) - 1
        raise DatasetError(
            f"The pattern {pattern!r} must match every file. It does not match {preview.unmatched[0]}"
            f"{f' and {n_others} others' if n_others else ''}."
        )
    return {file: preview.group_of[file] for file in files}


def read_column_groups(path: Path, column: str, files: Sequence[str]) -> dict[str, str]:
    """Give every file the group that a CSV holds in one of its columns.

    The files stand in the column file, filename or image (capitals do not matter), by their path in the dataset or
    by their name alone where only one file has that name.

    Parameters
    ----------
    path : Path of the CSV
    column : str, the column of the groups
    files : paths in the dataset, with `/`

    Raises
    ------
    DatasetError
        If the CSV cannot be used, a name fits several files, or a file has no group or two.
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
                f"{path.name}: {text} fits {len(fitting)} files, {fitting[0]} and {fitting[1]} among them."
            )
        for file in fitting:
            if group_of.setdefault(file, group) != group:
                raise DatasetError(f"{path.name} gives {file} two groups: {group_of[file]}, {group}.")
    missing = [file for file in files if not group_of.get(file)]
    if missing:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DatasetError(f"{path.name} must give every file a group. It gives none for {missing[0]}{others}.")
    return {file: group_of[file] for file in files}


def _search_names(pattern: str, names: list[str], time_limit_s: float) -> list[str]:
    """What the brackets of the pattern hold in each name, "" where it does not match."""
    request = json.dumps({"pattern": pattern, "names": names})
    command = [sys.executable, "-I", "-S", "-c", _CHILD_CODE]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=time_limit_s, check=True)
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"The pattern {pattern!r} takes more than {time_limit_s:g} s on these names; put no repeat inside another."
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise DatasetError(f"The pattern {pattern!r} could not be tried on these names.") from error
    reply = json.loads(done.stdout)
    if "problem" in reply:
        raise DatasetError(f"The pattern {pattern!r} is no regular expression: {reply['problem']}.")
    if not reply["n_marked"]:
        raise DatasetError(f"The pattern {pattern!r} must mark the group by round brackets, as in C(\\d+)P.")
    return list(reply["groups"])
