"""Untrusted zips: what is refused, and how a member is read without trusting what the zip says about itself."""

import io
import re
import stat
import struct
import zipfile
import zlib
from typing import Final, Self

from bloodcell.core.errors import IntakeError

MAX_FILE_BYTES: Final = 200 * 2**20
MAX_ZIP_MEMBERS: Final = 50_000
MAX_ZIP_TOTAL_BYTES: Final = 8 * 2**30
MAX_ZIP_DIRECTORY_BYTES: Final = 8 * 2**20
MAX_ZIP_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 2**20  # a smaller member may have any ratio: a blank image compresses very well

_CHUNK_BYTES: Final = 2**18
# The other methods (bzip2, LZMA) unpack a chunk of any size at once.
_SUPPORTED_COMPRESSION: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DRIVE: Final = re.compile(r"[A-Za-z]:")

_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
)


class _CappedReader(io.BufferedReader):
    """The zip as `zipfile` sees it; refuses the one read that could be huge, that of the list of members."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_ZIP_DIRECTORY_BYTES:
            raise IntakeError(_describe_too_many(f"a list of {size / 2**20:.0f} MB"))
        return super().read(size)


class SafeZip:
    """A zip that is open for reading, for use in a `with` block; members come out one at a time.

    Parameters
    ----------
    raw : RawIOBase or BytesIO
        The zip's bytes, unbuffered; closed at the end of the block, or at once if the zip is refused.
    max_member_bytes : int, default 200 MB
        Limit on one member, counted as it is unpacked.
    max_total_bytes : int, default 8 GB
        Limit on all members together, counted as they are unpacked.

    Attributes
    ----------
    members : tuple of ZipInfo
        Members that are not folders.

    Raises
    ------
    IntakeError
        If this is not a zip, it is damaged, or it lists more members or bytes than allowed.
    """

    def __init__(
        self,
        raw: io.RawIOBase | io.BytesIO,
        *,
        max_member_bytes: int = MAX_FILE_BYTES,
        max_total_bytes: int = MAX_ZIP_TOTAL_BYTES,
    ) -> None:
        self.max_member_bytes = max_member_bytes
        self.max_total_bytes = max_total_bytes
        self._read_bytes = 0
        self._unpacked: dict[int, int] = {}  # bytes of each member, by its place in the zip
        self._reader = _CappedReader(raw)
        try:
            self._archive = zipfile.ZipFile(self._reader)
            self.members = self._list_members()
        except _ZIP_ERRORS as error:
            self._reader.close()
            raise IntakeError("The zip is damaged and cannot be opened.") from error
        except IntakeError:
            self._reader.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._reader.close()

    def _list_members(self) -> tuple[zipfile.ZipInfo, ...]:
        members = tuple(info for info in self._archive.infolist() if not info.is_dir())
        if len(members) > MAX_ZIP_MEMBERS:
            raise IntakeError(_describe_too_many(f"{len(members):,}"))
        listed = sum(info.file_size for info in members)
        if listed > self.max_total_bytes:
            raise IntakeError(_describe_too_much(self.max_total_bytes, f"{listed / 2**30:.1f} GB"))
        return members

    def find_problem(self, info: zipfile.ZipInfo) -> str:
        """Say why this member is refused, judging by the zip's list alone; "" if it is not refused."""
        if stat.S_ISLNK(info.external_attr >> 16):
            return "It is a link inside a zip, and links are not followed."
        if not is_plain_path(info.filename):
            return "Its path leads out of the zip, so it is refused."
        if info.flag_bits & 0x1:
            return "It is encrypted; unpack the zip with its password first."
        if info.compress_type not in _SUPPORTED_COMPRESSION:
            return "Its compression method is not supported; create the zip again with the usual method (deflate)."
        if info.file_size > self.max_member_bytes:
            return describe_too_large(info.file_size, self.max_member_bytes)
        if info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_ZIP_RATIO * info.compress_size:
            return f"It unpacks to more than {MAX_ZIP_RATIO} times its size, like a zip bomb, so it is refused."
        return ""

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Unpack one member, stopping at the limits whatever the list says about its size.

        Raises
        ------
        IntakeError
            If it is refused (see `find_problem`), damaged, or exceeds a limit while it is unpacked.
        """
        problem = self.find_problem(info)
        if problem:
            raise IntakeError(problem)
        chunks = []
        size = 0
        self._read_bytes -= self._unpacked.pop(info.header_offset, 0)  # reading a member again is not a bomb
        try:
            with self._archive.open(info) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    size += len(chunk)
                    self._read_bytes += len(chunk)
                    self._unpacked[info.header_offset] = size
                    if size > self.max_member_bytes:
                        raise IntakeError(describe_too_large(size, self.max_member_bytes))
                    if self._read_bytes > self.max_total_bytes:
                        raise IntakeError(_describe_too_much(self.max_total_bytes, "more"))
                    chunks.append(chunk)
        except _ZIP_ERRORS as error:
            raise IntakeError("It is damaged inside the zip, so it cannot be unpacked.") from error
        return b"".join(chunks)


def is_plain_path(name: str) -> bool:
    """Return True for a relative path that stays inside its folder: no `..`, no leading slash, no drive letter."""
    name = name.replace("\\", "/")
    return bool(name) and not name.startswith("/") and not _DRIVE.match(name) and ".." not in name.split("/")


def describe_too_large(size: int, allowed: int) -> str:
    """Describe a file above the limit; sizes in bytes."""
    return f"The file is too large: at most {allowed / 2**20:.0f} MB are allowed. Received: {size / 2**20:.0f} MB."


def _describe_too_many(received: str) -> str:
    return f"The zip has too many files: at most {MAX_ZIP_MEMBERS:,} are allowed. Received: {received}."


def _describe_too_much(allowed: int, received: str) -> str:
    return f"The zip is too large when unpacked: at most {allowed / 2**30:.1f} GB are allowed. Received: {received}."
