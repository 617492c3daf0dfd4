"""What the commands share: checked input paths, output files that are whole or not there, lines on the terminal."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from bloodcell.core.errors import IntakeError, StoreError


def check_paths(texts: Sequence[str]) -> list[Path]:
    """Turn arguments into paths.

    Raises
    ------
    IntakeError
        If one of them does not exist.
    """
    paths = [Path(text) for text in texts]
    for path in paths:
        if not path.exists():
            raise IntakeError(f"There is no file or folder {to_printable(str(path))}.")
    return paths


def check_output_file(text: str) -> Path:
    """Return the file to write, after a trial that leaves nothing behind: so that long work does not fail at its end.

    Parameters
    ----------
    text : str
        As the user wrote it.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    StoreError
        If it is a folder, is write-protected, or lies in a folder that is missing or refuses.
    """
    path = Path(text).resolve()
    if path.exists() and not path.is_file():
        raise StoreError(f"The output must be a file. Received: {to_printable(str(path))}.")
    if path.exists() and not os.access(path, os.W_OK):
        raise StoreError(f"The output file {to_printable(str(path))} is write-protected.")
    if not path.parent.is_dir():
        raise StoreError(f"The output folder {to_printable(str(path.parent))} does not exist.")
    temporary = _make_temporary_path(path)
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise _make_write_error(path, error) from error
    return path


def write_output(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises
    ------
    StoreError
        If the disk is full or refuses; a file that was there before stays as it was.
    """
    temporary = _make_temporary_path(path)  # not `core.io.write_atomic`, whose files are for this user alone
    try:
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise _make_write_error(path, error) from error


def update_bar(bar: tqdm, done: int, total: int) -> None:
    """Move a progress bar to `done` of `total`."""
    bar.total = total
    bar.update(done - bar.n)


def print_info(text: str) -> None:
    """Write one line to stderr, which takes everything but the result itself."""
    sys.stderr.write(text + "\n")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows to stdout in columns two spaces apart."""
    lines = [tuple(header), *(tuple(to_printable(text) for text in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def to_printable(text: str) -> str:
    r"""Replace what would break a line of a terminal: line breaks and control codes.

    Examples
    --------
    >>> to_printable("slide 1.png")
    'slide 1.png'
    >>> to_printable("two\nlines") == "two\N{REPLACEMENT CHARACTER}lines"
    True
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def make_absolute(text: str) -> str:
    """Return a path from the root, without following links."""
    return os.path.normpath(Path(text).absolute())


def _make_temporary_path(path: Path) -> Path:
    return path.with_name(f".bloodcell-{os.getpid()}.part")


def _make_write_error(path: Path, error: OSError) -> StoreError:
    return StoreError(f"The output file {to_printable(str(path))} cannot be written: {error.strerror or error}.")
