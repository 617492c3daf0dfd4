"""Model folders on the shelf: which there are, and what each says of itself."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcell.errors import ModelError
from bloodcell.runs.takes import CELL, MASK_FILE, takes_of
from bloodcell.settings import Settings

NEEDED_FILES = ("model.onnx", "spec.json", "typical.npz")


@dataclass(frozen=True)
class ModelInfo:
    """One model of the shelf.

    name : the folder's name, by which it is asked for
    title : what to show
    class_names : in the order of the network's outputs
    sha256 : of all that decides its answers (`model_sha256`)
    is_shipped : comes with Bloodcell, was not trained here
    input : what it takes, of `runs.takes.INPUTS`
    """

    name: str
    folder: Path
    title: str
    class_names: tuple[str, ...]
    sha256: str
    is_shipped: bool
    input: str = CELL


def list_models(settings: Settings) -> list[ModelInfo]:
    """Every usable model: shipped ones first, then those of the workspace, by name.

    A folder that lacks a needed file or is damaged is left out (`get_model` tells why); one that is shipped hides a
    trained one of its name.
    """
    found: dict[str, ModelInfo] = {}
    for shelf, is_shipped in ((settings.shelf, True), (settings.runs_dir, False)):
        for folder in sorted(shelf.iterdir()) if shelf.is_dir() else []:
            if folder.name not in found:
                with suppress(ModelError):
                    found[folder.name] = read_model(folder, is_shipped)
    return list(found.values())


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
    return ModelInfo(
        name=folder.name,
        folder=folder,
        title=str(description.get("title") or folder.name),
        class_names=tuple(description["class_names"]),
        sha256=model_sha256(folder),
        is_shipped=is_shipped,
        input=takes_of(description, folder.name).input,
    )


def input_of(name: str, settings: Settings) -> str:
    """What the model called `name` takes, of `runs.takes.INPUTS`; "" where it is not on the shelf. Reads one file."""
    for shelf in (settings.shelf, settings.runs_dir):
        with suppress(ModelError):
            return takes_of(read_description(shelf / name), name).input
    return ""


def read_description(folder: Path) -> dict[str, Any]:
    """Contents of spec.json, checked for what prediction needs."""
    for name in NEEDED_FILES:
        if not (folder / name).is_file():
            raise ModelError(f"The model folder {folder.name} lacks {name}.")
    try:
        description = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"spec.json of the model {folder.name} cannot be read: {error}.") from error
    if not isinstance(description, dict):
        raise ModelError(f"spec.json of the model {folder.name} must be one JSON object.")
    if "class_names" not in description:
        raise ModelError(f"spec.json of the model {folder.name} lacks class_names.")
    takes_of(description, folder.name)
    return description


def model_sha256(folder: Path) -> str:
    """SHA-256, in hexadecimal, over the files that decide a model's answers: network, thresholds, typical cells."""
    digest = hashlib.sha256()
    for name in (*NEEDED_FILES, *([MASK_FILE] if (folder / MASK_FILE).is_file() else [])):
        with (folder / name).open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
