"""What lies in a folder or zip: every file with its size and date, and the bytes of one at a time."""

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from zipfile import ZipInfo

from bloodcell.data.archives import MAX_FILE_BYTES, SafeZip, is_plain_path, too_large
from bloodcell.data.intake import is_hidden
from bloodcell.errors import DatasetError, IntakeError

MAX_FILES: Final = 500_000

_NOT_UTF8: Final = "Its name is not UTF-8 text; rename it."
_LINK: Final = "The link leads out of the folder and is not followed."
_SPECIAL: Final = "This is no ordinary file."


@dataclass(frozen=True)
class StoredFile:
    """One file, seen from outside.

    file : its path below the folder or in the zip, with `/`
    n_bytes : unpacked
    stamp : when it was last changed, in ns since 1970; in a zip the CRC-32 of its bytes
    """

    file: str
    n_bytes: int
    stamp: int


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file, or with a table's row: `reason` is plain sentences."""

    file: str
    reason: str


class Contents:
    """The files of a folder or zip, to be used in a `with` block; safe to read from several threads.

    Hidden files and what macOS adds to a zip are passed over. Links that lead out of the folder, links to folders,
    names that are not UTF-8, special files and refused members of a zip (`data.archives`) are problems, not files.

    Parameters
    ----------
    path : Path of a folder or zip

    Attributes
    ----------
    files : dict of file -> StoredFile, in no special order
    problems : list of Problem

    Raises
    ------
    DatasetError
        If there is neither a folder nor a zip, it cannot be read, the zip is damaged or hostile, or a folder holds
        more than `MAX_FILES` files.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.files: dict[str, StoredFile] = {}
        self.problems: list[Problem] = []
        self._zip: SafeZip | None = None
        self._members: dict[str, ZipInfo] = {}
        self._lock = threading.Lock()
        if self.path.is_dir():
            self._list_folder()
        elif self.path.is_file():
            self._list_zip()
        else:
            raise DatasetError(f"There is no dataset at {path}: give a folder or a zip.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.__exit__()

    @property
    def is_zip(self) -> bool:
        return self._zip is not None

    def read(self, file: str) -> bytes:
        """Bytes of one of `files`; DatasetError, with the reason alone, if it is gone, too large or damaged."""
        if file not in self.files:
            raise DatasetError("There is no such file in this dataset.")
        try:
            if self._zip is not None:
                with self._lock:
                    return self._zip.read(self._members[file])
            with (self.path / file).open("rb") as stream:
                n_bytes = os.fstat(stream.fileno()).st_size
                if n_bytes > MAX_FILE_BYTES:
                    raise DatasetError(too_large(n_bytes, MAX_FILE_BYTES))
                return stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise DatasetError(f"The file cannot be read: {error.strerror or error}.") from error
        except IntakeError as error:
            raise DatasetError(str(error)) from error

    def _list_folder(self) -> None:
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
                self.problems.append(Problem(prefix, f"The folder cannot be read: {error.strerror}."))
                continue
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if is_hidden(entry.name):
                    continue
                if not _is_utf8(name):
                    self.problems.append(Problem(name.encode("utf-8", "replace").decode(), _NOT_UTF8))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", entry.path))
                else:
                    self._add_entry(name, entry, inside)
            if len(self.files) > MAX_FILES:
                raise DatasetError(f"A dataset may hold {MAX_FILES:,} files. Received: more, in {self.path}.")

    def _add_entry(self, name: str, entry: os.DirEntry[str], inside: str) -> None:
        try:
            if entry.is_symlink() and not _lies_in(os.path.realpath(entry.path), inside):
                self.problems.append(Problem(name, _LINK))
                return
            status = entry.stat()
        except OSError as error:
            self.problems.append(Problem(name, f"The file cannot be read: {error.strerror}."))
            return
        if stat.S_ISDIR(status.st_mode):
            return  # a link to a folder whose files are met in their own place
        if stat.S_ISREG(status.st_mode):
            self.files[name] = StoredFile(name, status.st_size, status.st_mtime_ns)
        else:
            self.problems.append(Problem(name, _SPECIAL))

    def _list_zip(self) -> None:
        try:
            self._zip = SafeZip(self.path.open("rb", buffering=0))
        except OSError as error:
            raise DatasetError(f"{self.path.name} cannot be read: {error.strerror}.") from error
        except IntakeError as error:
            raise DatasetError(f"{self.path.name} is neither a folder nor a zip that can be used. {error}") from error
        for info in self._zip.members:
            name = info.filename.replace("\\", "/").removeprefix("./")
            if is_hidden(name):
                continue
            reason = self._zip.problem(info)
            if reason or not is_plain_path(name) or not _is_utf8(name):
                shown = name.encode("utf-8", "replace").decode()
                self.problems.append(Problem(shown, reason or _NOT_UTF8))
            elif name in self.files:
                self.problems.append(Problem(name, "The zip holds this name more than once; its first file is taken."))
            else:
                self.files[name] = StoredFile(name, info.file_size, info.CRC)
                self._members[name] = info


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _lies_in(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # another drive of Windows
        return False
