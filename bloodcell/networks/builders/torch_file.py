"""Read the arrays of a PyTorch checkpoint without PyTorch, by an unpickler that can build arrays and nothing else."""

import io
import math
import pickle
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bloodcell.core.errors import ModelError

_MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_DTYPES: Final = {"FloatStorage": np.dtype("<f4"), "HalfStorage": np.dtype("<f2"), "LongStorage": np.dtype("<i8")}
MAX_BYTES: Final = 500_000_000
# What unpickling raises on bytes that make no sense.
_DAMAGE: Final = (
    *(pickle.UnpicklingError, ValueError, LookupError, TypeError, EOFError, AttributeError),
    *(OverflowError, MemoryError, struct.error),
)


@dataclass(frozen=True)
class _Storage:
    """Where the numbers of one or more tensors lie: the key of a block, its type and length."""

    key: str
    dtype: np.dtype[Any]
    length: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor as a view into a storage, in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a state dictionary that PyTorch before 1.6 wrote: five pickles, then the numbers of each storage.

    Nothing in the file is run: of all that a pickle can name, only ordered dictionaries, storages and tensors are known
    here, and they become plain data.

    Parameters
    ----------
    path : Path
        A file of `torch.save`, not a zip.

    Returns
    -------
    dict of str to ndarray
        Copies, of the types float32, float16 or int64.

    Raises
    ------
    ModelError
        If the file is missing, is no such checkpoint, names anything else, or is damaged.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"The weights {path.name} are larger than {MAX_BYTES // 1_000_000} MB.")
        stream = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {error.strerror}.") from error
    try:
        if _ArrayUnpickler(stream).load() != _MAGIC_NUMBER or _ArrayUnpickler(stream).load() != _PROTOCOL:
            raise ModelError(f"The weights {path.name} are no checkpoint of PyTorch before 1.6.")
        _ArrayUnpickler(stream).load()  # sizes of the writer's integers
        tensors = _ArrayUnpickler(stream).load()
        blocks = _read_blocks(stream, _ArrayUnpickler(stream).load(), tensors)
        return {str(name): _view(tensor, blocks) for name, tensor in tensors.items() if isinstance(tensor, _Tensor)}
    except _DAMAGE as error:
        raise ModelError(f"The weights {path.name} are damaged: {error}.") from error


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may name here."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")

    def persistent_load(self, saved: Any) -> _Storage:
        """Return the storage that a tensor refers to."""
        kind, dtype, key, _device, length, view = saved
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("it has a storage of an unknown kind")
        return _Storage(str(key), dtype, int(length))


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _read_blocks(stream: io.BytesIO, keys: Sequence[str], tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values() if isinstance(tensor, _Tensor)}
    blocks = {}
    for key in keys:
        storage = storages[key]
        (length,) = struct.unpack("<q", stream.read(8))
        if length != storage.length:
            raise ValueError("a storage has another length than its tensor")
        data = stream.read(length * storage.dtype.itemsize)
        blocks[key] = np.frombuffer(data, storage.dtype, length)
    return blocks


def _view(tensor: _Tensor, blocks: dict[str, np.ndarray]) -> np.ndarray:
    block = blocks[tensor.storage.key]
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True) if n)
    is_within = last < len(block) and math.prod(tensor.shape) <= len(block)  # a stride of 0 would repeat without end
    if min((tensor.offset, *tensor.shape, *tensor.strides), default=0) < 0 or not is_within:
        raise ValueError("a tensor reaches beyond its storage")
    steps = [step * block.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(block[tensor.offset :], tensor.shape, steps).copy()
