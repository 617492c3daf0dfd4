"""The one way in which Keras opens a `.keras` file here: looked through first, and nothing of its own is run."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

from bloodcell.core.errors import ModelError
from bloodcell.model_store.inspection.keras_archive import WEIGHTS, inspect_keras

MAX_WEIGHT_BYTES = 2**30


def load_keras_file(path: Path) -> keras.Model:
    """Load a network whose file was looked through: its archive and layers without Keras, then its weights.

    Raises
    ------
    ModelError
        If `inspection.keras_archive` refuses the file, its weights lie elsewhere or are larger than `MAX_WEIGHT_BYTES`, or
        Keras cannot read it.
    """
    try:
        inspect_keras(path.open("rb", buffering=0))
        _check_weights(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"Keras cannot read the network: {reason[:300]}") from error


def _check_weights(path: Path) -> None:
    """Refuse weights that are links, lie in other files, or would unpack to too much."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as weights:
        total = sum(map(_count_bytes, _list_datasets(weights)))
    if total > MAX_WEIGHT_BYTES:
        allowed = MAX_WEIGHT_BYTES / 2**20
        raise ModelError(
            f"The .keras file is refused: its weights would take {total / 2**20:,.0f} MB, and {allowed:,.0f} MB are allowed."
        )


def _list_datasets(weights: h5py.File) -> list[Any]:
    found, waiting = [], [weights]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelError("The .keras file is refused: its weights hold a link.")
            one = group[name]
            if isinstance(one, h5py.Group):
                waiting.append(one)
            else:
                found.append(one)
        if len(found) + len(waiting) > 100_000:  # a group may hold itself
            raise ModelError("The .keras file is refused: its weights have too many parts.")
    return found


def _count_bytes(one: Any) -> int:
    if not isinstance(one, h5py.Dataset) or one.external or one.is_virtual or one.dtype.kind not in "fiub":
        raise ModelError(
            "The .keras file is refused: its weights hold something that is no array of numbers in the file itself."
        )
    return math.prod(one.shape or (0,)) * one.dtype.itemsize
