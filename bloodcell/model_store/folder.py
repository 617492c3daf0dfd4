"""Model folders on the shelf: which there are, and what each says of itself."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.io_spec import CELL, MASK_FILE, ModelIOSpec, read_io_spec

# The shipped model of the main job: what a page offers where nobody has chosen.
DEFAULT_MODEL = "wbc4"
NETWORK_FILE, SPEC_FILE, FEATURE_STATISTICS_FILE = "model.onnx", "spec.json", "typical.npz"
# The last one not of a model that is not judged (`ModelIOSpec.has_thresholds`).
REQUIRED_FILES = (NETWORK_FILE, SPEC_FILE, FEATURE_STATISTICS_FILE)


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
    has_thresholds: bool = True
    needs_white_cell: bool = True


def list_models(settings: Settings) -> list[ModelInfo]:
    """Every usable model: shipped ones first, `DEFAULT_MODEL` before all, then those of the workspace, by name.

    A folder that lacks a needed file or is damaged is left out (`get_model` tells why); one that is shipped hides a
    trained one of its name.
    """
    found: dict[str, ModelInfo] = {}
    for library, is_shipped in ((settings.shipped_models_dir, True), (settings.runs_dir, False)):
        for folder in sorted(library.iterdir(), key=_sort_key) if library.is_dir() else []:
            if folder.name not in found:
                with suppress(ModelError):
                    found[folder.name] = read_model(folder, is_shipped)
    return list(found.values())


def _sort_key(folder: Path) -> tuple[bool, str]:
    return folder.name != DEFAULT_MODEL, folder.name


def get_model(name: str, settings: Settings) -> ModelInfo:
    """The model called `name`; ModelError says what is wrong with it, or which there are."""
    models = list_models(settings)
    for model in models:
        if model.name == name:
            return model
    for library in (settings.shipped_models_dir, settings.runs_dir):
        if any(folder.name == name for folder in library.glob("*/")):
            return read_model(library / name)
    there = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"There is no model {name!r} on the shelf. Models there: {there}.")


def read_model(folder: Path, is_shipped: bool = False) -> ModelInfo:
    """Describe one model folder; ModelError where a file is missing or makes no sense."""
    description = read_description(folder)
    io_spec = read_io_spec(description, folder.name)
    return ModelInfo(
        name=folder.name,
        folder=folder,
        title=str(description.get("title") or folder.name),
        class_names=tuple(description["class_names"]),
        sha256=model_sha256(folder),
        is_shipped=is_shipped,
        input=io_spec.input,
        has_thresholds=io_spec.has_thresholds,
        needs_white_cell=io_spec.needs_white_cell,
    )


def find_io_spec(name: str, settings: Settings) -> ModelIOSpec | None:
    """What the model called `name` takes and gives; None where it is not on the shelf. Reads one file."""
    for library in (settings.shipped_models_dir, settings.runs_dir):
        with suppress(ModelError):
            return read_io_spec(read_description(library / name), name)
    return None


def read_description(folder: Path) -> dict[str, Any]:
    """Contents of spec.json, checked for what prediction needs."""
    _require_file(folder, NETWORK_FILE)
    _require_file(folder, SPEC_FILE)
    description = parse_description((folder / SPEC_FILE).read_bytes(), folder.name)
    if read_io_spec(description, folder.name).has_thresholds:
        _require_file(folder, FEATURE_STATISTICS_FILE)
    return description


def parse_description(data: bytes, name: str) -> dict[str, Any]:
    """Contents of spec.json of the model `name`, from its bytes; ModelError where they make no sense."""
    try:
        description = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"spec.json of the model {name} cannot be read: {error}.") from error
    if not isinstance(description, dict):
        raise ModelError(f"spec.json of the model {name} must be one JSON object.")
    if "class_names" not in description:
        raise ModelError(f"spec.json of the model {name} lacks class_names.")
    read_io_spec(description, name)
    names = description["class_names"]
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names) or len(set(names)) != len(names):
        raise ModelError(f"`class_names` of the model {name} must be a list of different names. Received: {names}.")
    return description


def _require_file(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise ModelError(f"The model folder {folder.name} lacks {name}.")


def model_sha256(folder: Path) -> str:
    """SHA-256, in hexadecimal, over the files that decide a model's answers: network, thresholds, typical cells."""
    digest = hashlib.sha256()
    for name in (*REQUIRED_FILES, MASK_FILE):
        if name in (FEATURE_STATISTICS_FILE, MASK_FILE) and not (folder / name).is_file():
            continue  # of a model without
        with (folder / name).open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
