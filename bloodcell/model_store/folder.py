"""Model folders on the shelf: which there are, and what each says of itself."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.io_spec import CELL, MASK_FILE, Takes, takes_of

# The shipped model of the main job: what a page offers where nobody has chosen.
FIRST = "wbc4"
NETWORK_FILE, SPEC_FILE, TYPICAL_FILE = "model.onnx", "spec.json", "typical.npz"
# The last one not of a model that is not judged (`Takes.is_judged`).
NEEDED_FILES = (NETWORK_FILE, SPEC_FILE, TYPICAL_FILE)


@dataclass(frozen=True)
class ModelInfo:
    """One model of the shelf.

    name : the folder's name, by which it is asked for
    title : what to show
    class_names : in the order of the network's outputs
    sha256 : of all that decides its answers (`model_sha256`)
    is_shipped : comes with Bloodcell, was not trained here
    input : what it takes, of `model_store.io_spec.INPUTS`
    is_judged : has measured thresholds; without, every cell is to be checked
    needs_white_cell : names only pictures in which a white cell is found
    """

    name: str
    folder: Path
    title: str
    class_names: tuple[str, ...]
    sha256: str
    is_shipped: bool
    input: str = CELL
    is_judged: bool = True
    needs_white_cell: bool = True


def list_models(settings: Settings) -> list[ModelInfo]:
    """Every usable model: shipped ones first, `FIRST` before all, then those of the workspace, by name.

    A folder that lacks a needed file or is damaged is left out (`get_model` tells why); one that is shipped hides a
    trained one of its name.
    """
    found: dict[str, ModelInfo] = {}
    for shelf, is_shipped in ((settings.shelf, True), (settings.runs_dir, False)):
        for folder in sorted(shelf.iterdir(), key=_place) if shelf.is_dir() else []:
            if folder.name not in found:
                with suppress(ModelError):
                    found[folder.name] = read_model(folder, is_shipped)
    return list(found.values())


def _place(folder: Path) -> tuple[bool, str]:
    return folder.name != FIRST, folder.name


def get_model(name: str, settings: Settings) -> ModelInfo:
    """The model called `name`; ModelError says what is wrong with it, or which there are."""
    models = list_models(settings)
    for model in models:
        if model.name == name:
            return model
    for shelf in (settings.shelf, settings.runs_dir):
        if any(folder.name == name for folder in shelf.glob("*/")):
            return read_model(shelf / name)
    there = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"There is no model {name!r} on the shelf. Models there: {there}.")


def read_model(folder: Path, is_shipped: bool = False) -> ModelInfo:
    """Describe one model folder; ModelError where a file is missing or makes no sense."""
    description = read_description(folder)
    takes = takes_of(description, folder.name)
    return ModelInfo(
        name=folder.name,
        folder=folder,
        title=str(description.get("title") or folder.name),
        class_names=tuple(description["class_names"]),
        sha256=model_sha256(folder),
        is_shipped=is_shipped,
        input=takes.input,
        is_judged=takes.is_judged,
        needs_white_cell=takes.needs_white_cell,
    )


def takes_by_name(name: str, settings: Settings) -> Takes | None:
    """What the model called `name` takes and gives; None where it is not on the shelf. Reads one file."""
    for shelf in (settings.shelf, settings.runs_dir):
        with suppress(ModelError):
            return takes_of(read_description(shelf / name), name)
    return None


def read_description(folder: Path) -> dict[str, Any]:
    """Contents of spec.json, checked for what prediction needs."""
    _need(folder, NETWORK_FILE)
    _need(folder, SPEC_FILE)
    description = description_of((folder / SPEC_FILE).read_bytes(), folder.name)
    if takes_of(description, folder.name).is_judged:
        _need(folder, TYPICAL_FILE)
    return description


def description_of(data: bytes, name: str) -> dict[str, Any]:
    """Contents of spec.json of the model `name`, from its bytes; ModelError where they make no sense."""
    try:
        description = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"spec.json of the model {name} cannot be read: {error}.") from error
    if not isinstance(description, dict):
        raise ModelError(f"spec.json of the model {name} must be one JSON object.")
    if "class_names" not in description:
        raise ModelError(f"spec.json of the model {name} lacks class_names.")
    takes_of(description, name)
    names = description["class_names"]
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names) or len(set(names)) != len(names):
        raise ModelError(f"`class_names` of the model {name} must be a list of different names. Received: {names}.")
    return description


def _need(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise ModelError(f"The model folder {folder.name} lacks {name}.")


def model_sha256(folder: Path) -> str:
    """SHA-256, in hexadecimal, over the files that decide a model's answers: network, thresholds, typical cells."""
    digest = hashlib.sha256()
    for name in (*NEEDED_FILES, MASK_FILE):
        if name in (TYPICAL_FILE, MASK_FILE) and not (folder / name).is_file():
            continue  # of a model without
        with (folder / name).open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
