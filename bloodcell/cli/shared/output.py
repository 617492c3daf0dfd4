"""What the commands share: checked input paths, whole output files, words on the terminal."""

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
        If there is nothing of that name.
    """
    paths = [Path(text) for text in texts]
    for path in paths:
        if not path.exists():
            raise IntakeError(f"There is no file or folder {to_printable(str(path))}.")
    return paths


def check_output_file(text: str) -> Path:
    """Return the file to write, after a trial that leaves nothing behind: before long work, not after it.

    Raises
    ------
    StoreError
        If it cannot be written.
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
    temporary = _make_temporary_path(path)
    try:
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise _make_write_error(path, error) from error


def update_bar(bar: tqdm, done: int, total: int) -> None:
    """Move a progress bar to where a callable `on_progress(done, total)` says the work is."""
    bar.total = total
    bar.update(done - bar.n)


def print_info(text: str) -> None:
    """Write one line to stderr, where all goes that is not the result itself."""
    sys.stderr.write(text + "\n")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows to stdout in columns two blanks apart."""
    lines = [tuple(header), *(tuple(to_printable(text) for text in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def to_printable(text: str) -> str:
    """Make a file name fit for one line of a terminal: no line breaks, no control codes."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _make_temporary_path(path: Path) -> Path:
    return path.with_name(f".bloodcell-{os.getpid()}.part")


def _make_write_error(path: Path, error: OSError) -> StoreError:
    return StoreError(f"The output file {to_printable(str(path))} cannot be written: {error.strerror or error}.")
