"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename; the temporary file is gone in every case."""
    with open_atomic(path) as stream:
        stream.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose content is at `path` after the block, as by `write_atomic`, unless the block failed."""
    handle, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
