"""The contents of a folder or zip: every file with its size and date, and the bytes of one at a time."""

import os
import stat
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self
from zipfile import ZipInfo

from bloodcell.core.errors import DatasetError, IntakeError
from bloodcell.datasets.sources.archives import MAX_FILE_BYTES, SafeZip, describe_too_large, is_plain_path
from bloodcell.datasets.sources.uploads import is_hidden

MAX_FILES: Final = 500_000

_NOT_UTF8: Final = "Its name is not UTF-8 text; rename it."
_LINK: Final = "The link leads out of the folder, so it is not followed."
_MISSING: Final = "There is no such file in this dataset."
_SPECIAL: Final = "This is not an ordinary file."


@dataclass(frozen=True)
class StoredFile:
    """One file, seen from outside.

    Attributes
    ----------
    file : str
        Its path below the folder or in the zip, with `/`.
    n_bytes : int
        Unpacked.
    stamp : int
        When it was last changed, in ns since 1970; in a zip the CRC-32 of its bytes.
    """

    file: str
    n_bytes: int
    stamp: int


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file, or with one row of a table.

    Attributes
    ----------
    file : str
        The file, or the name of the row.
    reason : str
        One or more plain sentences.
    """

    file: str
    reason: str


class Contents:
    """The files of a folder or zip, for use in a `with` block; safe to read from several threads.

    Hidden files and what macOS adds to a zip are skipped. Links that lead out of the folder, links to folders, names
    that are not UTF-8, special files and refused members of a zip (`archives`) are problems, not files.

    Parameters
    ----------
    path : Path
        A folder or zip.

    Raises
    ------
    DatasetError
        If there is neither a folder nor a zip, it cannot be read, or the zip is damaged or malicious; on the first use
        of `files` or `problems`, if a folder cannot be read or has more than `MAX_FILES` files.
    """

    def __init__(self, path: Path) -> None:
        self._zip: SafeZip | None = None
        self._members: dict[str, ZipInfo] = {}
        self._lock = threading.Lock()
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 Path.resolve would follow links
        if self.path.is_file():
            self._zip = self._open_zip()
        elif not self.path.is_dir():
            raise DatasetError(f"There is no dataset at {path}; give a folder or a zip.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip; a folder holds nothing open."""
        if self._zip is not None:
            self._zip.__exit__()

    @property
    def is_zip(self) -> bool:
        """Whether it is a zip, not a folder."""
        return self._zip is not None

    @property
    def files(self) -> dict[str, StoredFile]:
        """Every file by its path, in no special order; listed on first use."""
        return self._listing[0]

    @property
    def problems(self) -> list[Problem]:
        """What could not be listed as a file, and why; listed on first use."""
        return self._listing[1]

    def read(self, file: str) -> bytes:
        """Read the bytes of one of `files`.

        Raises
        ------
        DatasetError
            With the reason alone, if the file is gone, too large or damaged.
        """
        try:
            return self._read_stored(file) if self._zip is None else self._read_member(self._zip, file)
        except OSError as error:
            raise DatasetError(f"The file cannot be read: {error.strerror or error}.") from error
        except IntakeError as error:
            raise DatasetError(str(error)) from error

    def _read_member(self, archive: SafeZip, file: str) -> bytes:
        if file not in self.files:
            raise DatasetError(_MISSING)
        with self._lock:
            return archive.read(self._members[file])

    def _read_stored(self, file: str) -> bytes:
        # The folder may have 100,000 files, so it is not listed to read one of them.
        if not is_plain_path(file):
            raise DatasetError(_MISSING)
        real_path = Path(os.path.realpath(self.path / file))
        if not _is_inside(os.fspath(real_path), os.path.realpath(self.path)):
            raise DatasetError(_LINK)
        status = real_path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DatasetError(_SPECIAL)
        if status.st_size > MAX_FILE_BYTES:
            raise DatasetError(describe_too_large(status.st_size, MAX_FILE_BYTES))
        with real_path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)

    @cached_property
    def _listing(self) -> tuple[dict[str, StoredFile], list[Problem]]:
        files: dict[str, StoredFile] = {}
        problems: list[Problem] = []
        with self._lock:
            if self._zip is None:
                self._list_folder(files, problems)
            else:
                self._list_zip(self._zip, files, problems)
        return files, problems

    def _list_folder(self, files: dict[str, StoredFile], problems: list[Problem]) -> None:
        inside = os.path.realpath(self.path)
        waiting = [("", os.fspath(self.path))]
        while waiting:
            prefix, folder = waiting.pop()
            try:
                with os.scandir(folder) as listing:
                    entries = list(listing)
            except OSError as error:
                if not prefix:
                    raise DatasetError(f"The folder {self.path} cannot be read: {error.strerror}.") from error
                problems.append(Problem(prefix, f"The folder cannot be read: {error.strerror}."))
                continue
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if is_hidden(entry.name):
                    continue
                if not _is_utf8(name):
                    problems.append(Problem(name.encode("utf-8", "replace").decode(), _NOT_UTF8))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", entry.path))
                else:
                    _add_entry(name, entry, inside, files, problems)
            if len(files) > MAX_FILES:
                raise DatasetError(f"A dataset may have at most {MAX_FILES:,} files. Received: more, in {self.path}.")

    def _open_zip(self) -> SafeZip:
        try:
            return SafeZip(self.path.open("rb", buffering=0))
        except OSError as error:
            raise DatasetError(f"{self.path.name} cannot be read: {error.strerror}.") from error
        except IntakeError as error:
            raise DatasetError(f"{self.path.name} is neither a folder nor a usable zip. {error}") from error

    def _list_zip(self, archive: SafeZip, files: dict[str, StoredFile], problems: list[Problem]) -> None:
        for info in archive.members:
            name = info.filename.replace("\\", "/").removeprefix("./")
            if is_hidden(name):
                continue
            reason = archive.find_problem(info)
            if reason or not is_plain_path(name) or not _is_utf8(name):
                shown = name.encode("utf-8", "replace").decode()
                problems.append(Problem(shown, reason or _NOT_UTF8))
            elif name in files:
                problems.append(Problem(name, "The zip has this name more than once; its first file is used."))
            else:
                files[name] = StoredFile(name, info.file_size, info.CRC)
                self._members[name] = info


def _add_entry(
    name: str, entry: os.DirEntry[str], inside: str, files: dict[str, StoredFile], problems: list[Problem]
) -> None:
    try:
        if entry.is_symlink() and not _is_inside(os.path.realpath(entry.path), inside):
            problems.append(Problem(name, _LINK))
            return
        status = entry.stat()
    except OSError as error:
        problems.append(Problem(name, f"The file cannot be read: {error.strerror}."))
        return
    if stat.S_ISDIR(status.st_mode):
        return  # a link to a folder whose files are found in their own place
    if stat.S_ISREG(status.st_mode):
        files[name] = StoredFile(name, status.st_size, status.st_mtime_ns)
    else:
        problems.append(Problem(name, _SPECIAL))


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_inside(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # another drive of Windows
        return False
