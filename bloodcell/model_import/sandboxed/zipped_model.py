"""Importing a zipped model folder: unpack it, and inspect every file of it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.model_import.sandboxed.onnx_check import check_onnx
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.inspection.keras_archive import inspect_keras
from bloodcell.model_store.model_zip import unpack_model


def import_zipped_model(path: Path, folder: Path, on_step: Callable[[str], None]) -> None:
    """Unpack a zip of `model_store.model_zip` into a new folder; its model is not tried here.

    Parameters
    ----------
    path : Path
        The zip.
    folder : Path
        Folder to make; it may be there after an error.
    on_step : callable
        Called with each step before it.

    Raises
    ------
    ModelError
        If the zip is refused, or a file of it is damaged or holds what is not allowed.
    """
    on_step("Unpacking")
    unpack_model(path.open("rb", buffering=0), folder)
    on_step("Inspecting the networks")
    model = ModelFolder(folder)
    model.read_description()
    for network_file in (model.network_file, model.mask_file):
        if network_file.is_file():
            check_onnx(network_file)
    if model.keras_file.is_file():  # Keras never opens it without another inspection
        inspect_keras(model.keras_file.open("rb", buffering=0))
    for file in sorted(folder.iterdir()):
        if file.suffix in _CHECKS:
            _CHECKS[file.suffix](file)


def _check_json(path: Path) -> None:
    try:
        is_object = isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is not valid JSON.") from error
    if not is_object:
        raise ModelError(f"{path.name} must be one JSON object.")


def _check_text(path: Path) -> None:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path.name} is not text in UTF-8.") from error


def _check_arrays(path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            are_numbers = all(stored[name].dtype.kind in "fiub" for name in stored)
    except Exception as error:  # a damaged archive may raise anything
        raise ModelError(f"{path.name} holds no readable arrays of numbers.") from error
    if not are_numbers:
        raise ModelError(f"{path.name} must hold arrays of numbers.")


_CHECKS = {".json": _check_json, ".csv": _check_text, ".md": _check_text, ".npz": _check_arrays}
