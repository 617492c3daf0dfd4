"""A zipped model folder taken in: unpacked, and every file of it looked through before it is a model of the shelf."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.model_import.sandboxed.onnx_check import check_onnx
from bloodcell.model_store.folder import NETWORK_FILE, read_model
from bloodcell.model_store.inspection.keras_archive import inspect_keras
from bloodcell.model_store.io_spec import MASK_FILE
from bloodcell.model_store.model_zip import KERAS_FILE, unpack_model


def import_zipped_model(path: Path, folder: Path, on_step: Callable[[str], None]) -> None:
    """Unpack a zip of `model_store.model_zip` into a new folder; its model is not tried here.

    Parameters
    ----------
    say : called with what is done next

    Raises
    ------
    ModelError
        If the zip is refused, or a file of it is damaged or holds what is not allowed. Then the folder may be there.
    """
    on_step("Unpacking")
    unpack_model(path.open("rb", buffering=0), folder)
    read_model(folder)
    on_step("Looking through the networks")
    for name in (NETWORK_FILE, MASK_FILE):
        if (folder / name).is_file():
            check_onnx(folder / name)
    if (folder / KERAS_FILE).is_file():  # never opened by Keras without being looked through again
        inspect_keras((folder / KERAS_FILE).open("rb", buffering=0))
    for one in sorted(folder.iterdir()):
        _CHECKS.get(one.suffix, _skip_check)(one)


def _check_json(path: Path) -> None:
    try:
        is_object = isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is no readable JSON.") from error
    if not is_object:
        raise ModelError(f"{path.name} must be one JSON object.")


def _check_text(path: Path) -> None:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path.name} is no text in UTF-8.") from error


def _check_arrays(path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            are_numbers = all(stored[name].dtype.kind in "fiub" for name in stored)
    except Exception as error:  # a damaged archive may raise anything
        raise ModelError(f"{path.name} holds no readable arrays of numbers.") from error
    if not are_numbers:
        raise ModelError(f"{path.name} must hold arrays of numbers.")


def _skip_check(_path: Path) -> None:
    """Networks were looked through before."""


_CHECKS = {".json": _check_json, ".csv": _check_text, ".md": _check_text, ".npz": _check_arrays}
