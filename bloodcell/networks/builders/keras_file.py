"""Networks in `.keras` files: each is inspected before Keras opens it, and nothing in it is run."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any, Final

import h5py
import keras

from bloodcell.core.errors import ModelError
from bloodcell.model_store.folder import KERAS_FILE
from bloodcell.model_store.inspection.keras_archive import WEIGHTS, inspect_keras

MAX_WEIGHT_BYTES: Final = 2**30
MAX_PARTS: Final = 100_000


def load_network(model_dir: Path) -> keras.Model:
    """Load the Keras network of a model folder; ModelError if it is missing, damaged or refused."""
    try:
        return load_keras_file(model_dir / KERAS_FILE)
    except ModelError as error:
        raise ModelError(f"{KERAS_FILE} of the model {model_dir.name} cannot be read: {error}") from error


def load_keras_file(path: Path) -> keras.Model:
    """Load a network after its file was inspected: archive and layers without Keras, then its weights.

    Parameters
    ----------
    path : Path
        A file whose name ends in .keras, from anywhere.

    Raises
    ------
    ModelError
        If `inspection.keras_archive` refuses the file, its weights lie elsewhere or are larger than
        `MAX_WEIGHT_BYTES`, or Keras cannot read it.
    """
    try:
        inspect_keras(path.open("rb", buffering=0))
        _check_weights(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"Keras cannot read the network: {reason[:300]}") from error


def save_network(model: keras.Model, path: Path) -> None:
    """Write a network to a `.keras` file without its optimizer, which would be three times as large as its weights.

    Whatever `include_optimizer` says, Keras leaves the optimizer out only of its old format.
    """
    keras.Model(model.input, model.output, name=model.name).save(path)


def _check_weights(path: Path) -> None:
    """Refuse weights that are links, lie in other files, or would unpack to too much."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as weights:
        total = sum(map(_count_bytes, _list_datasets(weights)))
    if total > MAX_WEIGHT_BYTES:
        size, limit = total / 2**20, MAX_WEIGHT_BYTES / 2**20
        raise ModelError(
            f"The .keras file is refused: its weights would take {size:,.0f} MB, and at most {limit:,.0f} MB are allowed."
        )


def _list_datasets(weights: h5py.File) -> list[Any]:
    datasets, waiting = [], [weights]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelError("The .keras file is refused: its weights hold a link.")
            member = group[name]
            if isinstance(member, h5py.Group):
                waiting.append(member)
            else:
                datasets.append(member)
        if len(datasets) + len(waiting) > MAX_PARTS:  # a group may hold itself
            raise ModelError("The .keras file is refused: its weights have too many parts.")
    return datasets


def _count_bytes(dataset: Any) -> int:
    is_plain = isinstance(dataset, h5py.Dataset) and not dataset.external and not dataset.is_virtual
    if not is_plain or dataset.dtype.kind not in "fiub":
        raise ModelError(
            "The .keras file is refused: its weights hold something other than an array of numbers in the file itself."
        )
    return math.prod(dataset.shape or (0,)) * int(dataset.dtype.itemsize)
