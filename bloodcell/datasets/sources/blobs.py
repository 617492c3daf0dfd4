"""Uploaded bytes stored under their SHA-256: identical bytes are stored once, and a damaged file is noticed."""

import errno
import hashlib
import re
from pathlib import Path
from typing import Final

from bloodcell.core.errors import StoreError
from bloodcell.core.io import write_atomic

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class BlobStore:
    """Files named by the SHA-256 of their content, in 256 folders: `ab/ab34...`.

    Parameters
    ----------
    folder : Path
        Created when the first bytes arrive.

    Notes
    -----
    Several processes may use one folder: a file is written under a temporary name and then renamed, so a reader never
    sees half of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def put(self, data: bytes) -> str:
        """Store the bytes; return their SHA-256 as 64 hexadecimal digits.

        A file that already exists with the right length stays; one of another length (left by a failing disk) is
        replaced.

        Raises
        ------
        StoreError
            If the disk is full or not writable; nothing half-written stays behind.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        try:
            if path.is_file() and path.stat().st_size == len(data):
                return sha256
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        except OSError as error:
            raise StoreError(_describe_store_error(self.folder, error)) from error
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes.

        Raises
        ------
        StoreError
            If they are not stored, cannot be read, or no longer match their SHA-256.
        """
        path = self._path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise StoreError(f"The image {sha256[:12]} is not in the workspace {self.folder}.") from error
        except OSError as error:
            raise StoreError(f"The image {path} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"The image {path} is damaged: its content no longer matches its SHA-256.")
        return data

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise StoreError(f"A SHA-256 must be 64 hexadecimal digits in lower case. Received: {sha256!r}.")
        return self.folder / sha256[:2] / sha256


def _describe_store_error(folder: Path, error: OSError) -> str:
    if error.errno in _NO_SPACE:
        return f"The workspace disk is full: {folder} has no room for another image."
    return f"The workspace {folder} cannot be written to: {error.strerror or error}."
