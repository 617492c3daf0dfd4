"""Crops stored in files and read as they are drawn, so that memory does not grow with the number of images."""

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, TypeVar

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import open_atomic

READ_CHUNK = 64

T = TypeVar("T")
U = TypeVar("U")


def read_ahead(make: Callable[[T], U], items: Sequence[T]) -> Iterator[U]:
    """Yield `make(item)` of each item, in order, computed in two threads at most `READ_CHUNK` items ahead.

    Examples
    --------
    >>> list(read_ahead(str.upper, ["a", "b"]))
    ['A', 'B']
    """
    with ThreadPoolExecutor(2) as pool:
        # In chunks: a pool reads ahead without end where writing is slower.
        for start in range(0, len(items), READ_CHUNK):
            yield from pool.map(make, items[start : start + READ_CHUNK])


class CropWriter:
    """Write crops of one shape to a file in a `with` block; the file appears whole at its end, or not at all.

    Parameters
    ----------
    path : Path
        File to write; its folder is created.
    shape : tuple of int
        (H, W, C) of every crop; C is 3, or 4 for an image with the mask of its cell.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.path, self.shape = path, shape
        self._whole = ExitStack()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "CropWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._whole.enter_context(open_atomic(self.path))
        return self

    def add(self, crop: np.ndarray) -> None:
        """Append one crop, uint8 of the writer's shape; DatasetError for any other array or outside the block."""
        if crop.dtype != np.uint8 or crop.shape != self.shape:
            raise DatasetError(f"A crop must be uint8 {self.shape}. Received: {crop.dtype} {crop.shape}.")
        if self._stream is None:
            raise DatasetError("Crops can only be added inside the `with` block of their writer.")
        self._stream.write(np.ascontiguousarray(crop).tobytes())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream = None
        self._whole.__exit__(kind, error, traceback)


class StoredCrops:
    """Crops in files, indexed like an array of uint8, shape (N, H, W, C); every read gives a new array.

    Files are read by position instead of being mapped: mapped pages count as memory of the process.

    Parameters
    ----------
    files : list of (Path, int)
        Path and number of crops of each file; their crops are numbered through.
    shape : tuple of int
        (H, W, C) of a crop.
    rows : ndarray of int64, shape (N,), optional
        Which crops, and in which order; all by default.

    Raises
    ------
    DatasetError
        If a file is missing, shorter than it should be, or cannot be read.
    """

    def __init__(
        self, files: list[tuple[Path, int]], shape: tuple[int, int, int], rows: np.ndarray | None = None
    ) -> None:
        self.files, self.crop_shape = list(files), shape
        self._bytes = int(np.prod(shape))
        self._starts = np.cumsum([0] + [n for _, n in files])
        self._rows = np.arange(self._starts[-1]) if rows is None else np.asarray(rows, np.int64)
        self._open: dict[int, IO[bytes]] = {}
        weakref.finalize(self, _close_all, self._open)
        self._lock = threading.Lock()  # batches are drawn in a thread beside the training
        for path, n in files:
            n_bytes = path.stat().st_size if path.is_file() else -1
            if n_bytes != n * self._bytes:
                raise DatasetError(f"The stored crops {path.name} must have {n * self._bytes} bytes. Found: {n_bytes}.")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (N, H, W, C)."""
        return (len(self._rows), *self.crop_shape)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: np.ndarray) -> "StoredCrops":
        """Return the crops at `rows` (indices or a bool mask); nothing is read yet."""
        return StoredCrops(self.files, self.crop_shape, self._rows[rows])

    def join_crops(self, other: "StoredCrops") -> "StoredCrops":
        """Return these crops followed by those of `other`; DatasetError if their shapes differ."""
        if other.crop_shape != self.crop_shape:
            raise DatasetError(f"Crops to join must have one shape. Received: {self.crop_shape}, {other.crop_shape}.")
        rows = np.concatenate([self._rows, other._rows + self._starts[-1]])
        return StoredCrops(self.files + other.files, self.crop_shape, rows)

    def __getitem__(self, index: int | np.integer | slice | np.ndarray) -> np.ndarray:
        """Read one crop (H, W, C), or several (M, H, W, C)."""
        if isinstance(index, int | np.integer):
            return self._read(int(self._rows[index]))
        rows = self._rows[index]
        crops = np.empty((len(rows), *self.crop_shape), np.uint8)
        for place in np.argsort(rows, kind="stable"):  # in the order of the disk
            crops[place] = self._read(int(rows[place]))
        return crops

    def _read(self, row: int) -> np.ndarray:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        offset = (row - int(self._starts[number])) * self._bytes
        try:
            with self._lock:
                stream = self._stream(number)
                stream.seek(offset)
                content = stream.read(self._bytes)
        except OSError as error:
            raise DatasetError(f"The stored crops {self.files[number][0].name} cannot be read: {error}.") from error
        if len(content) != self._bytes:
            raise DatasetError(f"The stored crops {self.files[number][0].name} end too early: they were changed.")
        return np.frombuffer(content, np.uint8).reshape(self.crop_shape)

    def _stream(self, number: int) -> IO[bytes]:
        if number not in self._open:
            self._open[number] = self.files[number][0].open("rb", buffering=0)
        return self._open[number]


def _close_all(streams: dict[int, IO[bytes]]) -> None:
    for stream in streams.values():
        stream.close()
