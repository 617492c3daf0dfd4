"""What a user hands over (files, folders, zips, uploads) as a stream of named bytes, one file at a time.

One bad file never stops the rest: it comes out with a plain reason instead of its bytes. Names are only for display and
never used as paths; nothing is unpacked to the disk. Whether the bytes are an image is found when they are decoded
(`imaging.read`); here are only checks that cost nothing.
"""

import io
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Final
from zipfile import ZipInfo

from bloodcell.core.errors import IntakeError
from bloodcell.datasets.sources.archives import MAX_FILE_BYTES, SafeZip, describe_too_large

MAX_NAME_CHARS: Final = 400

IMAGE_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff"))
# Image formats that Bloodcell cannot read: in a folder they get a row with the reason; other files are skipped.
_CAMERA_SUFFIXES: Final = (".gif", ".webp", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".raw", ".dng")
_SCANNER_SUFFIXES: Final = (".dcm", ".svs", ".ndpi", ".czi", ".nd2", ".lif", ".vsi", ".scn")
UNSUPPORTED_IMAGE_SUFFIXES: Final = frozenset((*_CAMERA_SUFFIXES, *_SCANNER_SUFFIXES))
ZIP_SUFFIX: Final = ".zip"

_IMAGE_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ZIP_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")
UNSUPPORTED_IMAGE: Final = "This image format is not supported; save the image as JPEG, PNG, BMP or TIFF."
_NO_IMAGES: Final = "There are no images (JPEG, PNG, BMP or TIFF) in it."
_NESTED_ZIP: Final = "A zip inside a zip is not opened; unpack it and add its images."


@dataclass(frozen=True)
class IncomingFile:
    """One file as it arrived.

    Attributes
    ----------
    name : str
        The relative path with `/`, control characters replaced; only for display, never to be used as a path.
    data : bytes or None
        Its bytes, None if there is a problem.
    problem : str, default ""
        "" or one plain sentence.
    """

    name: str
    data: bytes | None
    problem: str = ""


@dataclass(frozen=True)
class _FoundFile:
    """A file that was found but not yet read: either a problem or a way to load it, which may raise IntakeError."""

    name: str
    problem: str = ""
    load: Callable[[], bytes] | None = None


def read_paths(paths: Sequence[Path]) -> Iterator[IncomingFile]:
    """Read files, folders (with all folders in them) and zips, in natural order of names (img2 before img10).

    Names are relative to the deepest folder that contains all `paths`: a single folder gives names relative to itself;
    `a/x.jpg` and `b/x.jpg` keep `a/` and `b/`. Members of a zip are named by the zip and their path in it, those of a
    single zip by their path only.

    In folders and zips, hidden files and files that are not images by name are skipped; a file that is itself in
    `paths` always comes out. Links that lead out of a folder are refused.

    Parameters
    ----------
    paths : sequence of Path

    Yields
    ------
    IncomingFile
        One at a time, so 10,000 files need the memory of one.
    """
    for found_file in _find_in_paths(paths):
        yield _load_file(found_file)


def count_paths(paths: Sequence[Path]) -> int:
    """Count what `read_paths` will yield, without reading images, for the total of a progress bar."""
    return sum(1 for _ in _find_in_paths(paths))


def read_uploads(files: Iterable[tuple[str, bytes]]) -> Iterator[IncomingFile]:
    """Read uploaded (name, bytes) pairs and open zips among them, by the same rules as `read_paths`.

    A name with a folder in it comes from an uploaded folder: hidden files and files that are not images by name are
    skipped.

    Parameters
    ----------
    files : iterable of (str, bytes)
        Iterable of (name, bytes), used once and lazily.

    Yields
    ------
    IncomingFile
    """
    incoming = iter(files)
    ahead = list(islice(incoming, 2))
    is_alone = len(ahead) == 1
    for name, data in chain(ahead, incoming):
        name = name.replace("\\", "/")
        if "/" in name and _is_skipped(name, data[:8]):
            continue
        if _is_zip(name, data[:4]):
            members = _find_in_zip(io.BytesIO(data), "" if is_alone else f"{name}/", name)
            yield from map(_load_file, members)
        else:
            yield _load_file(_FoundFile(name, load=partial(_check_bytes, data)))


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return a sort key in which numbers count by value and case comes last: img2 before IMG10, img1 before img01.

    Examples
    --------
    >>> sorted(["img10.png", "IMG2.png", "img1.png"], key=natural_key)
    ['img1.png', 'IMG2.png', 'img10.png']
    """
    keys = []
    for part in re.split(r"([0-9]+)", name.casefold()):
        digits = part.lstrip("0") if part[:1].isdigit() and part.isascii() else None
        # By length, then digit by digit: Python refuses to make an int of more than 4,300 digits.
        keys.append((0, 0, part) if digits is None else (1, len(digits), digits))
    return tuple(keys), name


def make_display_name(name: str) -> str:
    """Make a name safe to show, store and export: control and direction characters become U+FFFD."""
    shown = "".join("\ufffd" if _is_unsafe_letter(letter) else letter for letter in name)
    if not shown:
        return "(no name)"
    if len(shown) > MAX_NAME_CHARS:
        shown = "…" + shown[-(MAX_NAME_CHARS - 1) :]
    return shown


def _is_unsafe_letter(letter: str) -> bool:
    # Right-to-left overrides can make exe.gpj look like an image; half surrogates cannot be written as UTF-8.
    if letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff":
        return True
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _load_file(found_file: _FoundFile) -> IncomingFile:
    name = make_display_name(found_file.name)
    if found_file.load is None:
        return IncomingFile(name, None, found_file.problem)
    try:
        return IncomingFile(name, found_file.load())
    except IntakeError as error:
        return IncomingFile(name, None, str(error))


def _check_bytes(data: bytes) -> bytes:
    if not data:
        raise IntakeError("The file is empty (0 bytes).")
    if len(data) > MAX_FILE_BYTES:
        raise IntakeError(describe_too_large(len(data), MAX_FILE_BYTES))
    return data


def is_hidden(name: str) -> bool:
    """Return True for files that begin with a dot or lie in such a folder, and for what macOS adds to a zip."""
    parts = name.split("/")
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts)


def _is_skipped(name: str, start: bytes) -> bool:
    """Return True if a file in a folder or zip is left out without a message."""
    if is_hidden(name):
        return True
    suffix = get_suffix(name)
    if suffix in IMAGE_SUFFIXES or suffix in UNSUPPORTED_IMAGE_SUFFIXES or suffix == ZIP_SUFFIX:
        return False
    return bool(suffix) or not start.startswith(_IMAGE_SIGNATURES)


def get_suffix(name: str) -> str:
    """Return the suffix of a file's name or path in lower case, such as ".png"; "" if it has none.

    Examples
    --------
    >>> get_suffix("patient.7/IMG_1.PNG"), get_suffix("patient.7/IMG_1")
    ('.png', '')
    """
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 `Path.suffix` of "a." is "" in some versions of Python


def _is_zip(name: str, start: bytes) -> bool:
    return get_suffix(name) == ZIP_SUFFIX or start.startswith(_ZIP_SIGNATURES)


# Files and folders


def _find_in_paths(paths: Sequence[Path]) -> Iterator[_FoundFile]:
    # Path.resolve would follow links, and the names are those that the user knows.
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100
    try:
        root = os.path.commonpath([path if path.is_dir() else path.parent for path in whole]) if whole else ""
    except ValueError:  # two drives on Windows
        root = ""
    for path in whole:
        name = path.relative_to(root).as_posix() if root else path.as_posix()
        if path.is_dir():
            yield from _find_in_folder(path, "" if name == "." else f"{name}/")
        elif not os.path.lexists(path):
            yield _FoundFile(name, "There is no such file or folder.")
        else:
            yield from _find_file(path, name, "" if len(whole) == 1 else f"{name}/")


def _find_in_folder(folder: Path, prefix: str) -> Iterator[_FoundFile]:
    """Find the files below `folder`, depth first; with a stack, not recursion, for deeply nested folders."""
    inside = os.path.realpath(folder)
    waiting = [(os.fspath(folder), prefix)]
    is_empty = True
    while waiting:
        path, name = waiting.pop()
        if name.endswith("/") or path == os.fspath(folder):
            try:
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: natural_key(entry.name), reverse=True)
            except OSError as error:
                is_empty = False
                yield _FoundFile(name, f"The folder cannot be read: {error.strerror}.")
                continue
            for entry in entries:
                if not is_hidden(entry.name):
                    is_folder = entry.is_dir(follow_symlinks=False)
                    waiting.append((entry.path, f"{name}{entry.name}{'/' if is_folder else ''}"))
        else:
            for found_file in _find_in_entry(path, name, inside):
                is_empty = False
                yield found_file
    if is_empty:
        yield _FoundFile(prefix.rstrip("/") or folder.name, _NO_IMAGES)


def _find_in_entry(path: str, name: str, inside: str) -> Iterator[_FoundFile]:
    """Find one file or link of a folder."""
    if Path(path).is_symlink():
        target = os.path.realpath(path)
        if os.path.commonpath([inside, target]) != inside:
            yield _FoundFile(name, "The link leads out of the folder, so it is not followed.")
            return
        if Path(target).is_dir():
            return  # its images are found in their own place
    start = b""
    if not get_suffix(name):
        start = _read_first_bytes(path)
    if not _is_skipped(Path(path).name, start):
        if get_suffix(name) in UNSUPPORTED_IMAGE_SUFFIXES:
            yield _FoundFile(name, UNSUPPORTED_IMAGE)
        else:
            yield from _find_file(Path(path), name, f"{name}/")


def _read_first_bytes(path: str) -> bytes:
    try:
        if not Path(path).is_file():
            return b""
        with Path(path).open("rb", buffering=0) as stream:
            return stream.read(8)
    except OSError:
        return b""


def _find_file(path: Path, name: str, zip_prefix: str) -> Iterator[_FoundFile]:
    if _is_zip(name, _read_first_bytes(os.fspath(path))):
        try:
            with path.open("rb", buffering=0) as stream:
                yield from _find_in_zip(stream, zip_prefix, name)
        except OSError as error:
            yield _FoundFile(name, f"The zip cannot be read: {error.strerror}.")
    else:
        yield _FoundFile(name, load=partial(_read_file, path))


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise IntakeError("This is not an ordinary file.")
        if status.st_size > MAX_FILE_BYTES:
            raise IntakeError(describe_too_large(status.st_size, MAX_FILE_BYTES))
        with path.open("rb") as stream:
            return _check_bytes(stream.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise IntakeError(f"The file cannot be read: {error.strerror}.") from error


# Zips


def _find_in_zip(raw: io.RawIOBase | io.BytesIO, prefix: str, zip_name: str) -> Iterator[_FoundFile]:
    """Find the members of a zip, or one row that says why it is refused."""
    try:
        archive = SafeZip(raw)
    except IntakeError as error:
        yield _FoundFile(zip_name, str(error))
        return
    with archive:
        is_empty = True
        for info in sorted(archive.members, key=lambda info: natural_key(info.filename)):
            name = info.filename.replace("\\", "/")
            # A member without a suffix would have to be unpacked to see what it is; it is skipped.
            if _is_skipped(name, b""):
                continue
            is_empty = False
            problem = archive.find_problem(info) or _find_format_problem(name)
            if problem:
                yield _FoundFile(f"{prefix}{name}", problem)
            else:
                load = partial(_read_member, archive, info)
                yield _FoundFile(f"{prefix}{name}", load=load)
        if is_empty:
            yield _FoundFile(zip_name, _NO_IMAGES)


def _read_member(archive: SafeZip, info: ZipInfo) -> bytes:
    return _check_bytes(archive.read(info))


def _find_format_problem(name: str) -> str:
    if get_suffix(name) == ZIP_SUFFIX:
        return _NESTED_ZIP
    return UNSUPPORTED_IMAGE if get_suffix(name) in UNSUPPORTED_IMAGE_SUFFIXES else ""
