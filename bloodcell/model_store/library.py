"""The model library: the models that come with Bloodcell, and those of the workspace."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import Settings
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.io_spec import ModelIOSpec

# The shipped model of the main job: what a page offers where nobody has chosen.
DEFAULT_MODEL: Final = "wbc4"


@dataclass(frozen=True)
class ModelInfo:
    """One model of the library.

    Attributes
    ----------
    name : str
        Name of its folder, by which it is asked for.
    folder : Path
        Its folder.
    title : str
        What to show.
    class_names : tuple of str
        In the order of the network's outputs.
    sha256 : str
        Hash of all that decides its predictions (`ModelFolder.compute_sha256`).
    is_shipped : bool
        Whether it comes with Bloodcell and was not trained or imported here.
    io_spec : ModelIOSpec
        Input and outputs of its network.
    """

    name: str
    folder: Path
    title: str
    class_names: tuple[str, ...]
    sha256: str
    is_shipped: bool
    io_spec: ModelIOSpec


def list_models(settings: Settings) -> list[ModelInfo]:
    """List every usable model: shipped ones first, `DEFAULT_MODEL` before all, then those of the workspace, by name.

    A folder that lacks a needed file or is damaged is left out (`get_model` tells why). A shipped model hides one of
    the workspace of the same name.
    """
    models: dict[str, ModelInfo] = {}
    for library_dir in _list_library_dirs(settings):
        for folder in sorted(library_dir.iterdir(), key=_sort_key) if library_dir.is_dir() else []:
            if folder.name not in models:
                with suppress(ModelError):
                    models[folder.name] = read_model(folder, is_shipped=library_dir == settings.shipped_models_dir)
    return list(models.values())


def get_model(name: str, settings: Settings) -> ModelInfo:
    """Return the model called `name`.

    Raises
    ------
    ModelError
        If there is none of this name, or its folder is damaged.
    """
    models = list_models(settings)
    for model in models:
        if model.name == name:
            return model
    for library_dir in _list_library_dirs(settings):
        if any(folder.name == name for folder in library_dir.glob("*/")):
            return read_model(library_dir / name)
    available = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"There is no model {name!r} in the model library. Available models: {available}.")


def find_model(name_or_folder: str, settings: Settings) -> ModelInfo:
    """Return a model by the path of its folder or, where that is none, by its name; errors as for `get_model`."""
    folder = Path(name_or_folder)
    return read_model(folder) if ModelFolder(folder).is_model() else get_model(name_or_folder, settings)


def read_model(folder: Path, is_shipped: bool = False) -> ModelInfo:
    """Describe the model in a folder; ModelError where a file is missing or makes no sense."""
    model_folder = ModelFolder(folder)
    description = model_folder.read_description()
    return ModelInfo(
        name=folder.name,
        folder=folder,
        title=description.title,
        class_names=description.class_names,
        sha256=model_folder.compute_sha256(),
        is_shipped=is_shipped,
        io_spec=description.io_spec,
    )


def find_io_spec(name: str, settings: Settings) -> ModelIOSpec | None:
    """Return input and outputs of the model called `name`; None where there is none. Hashes no file."""
    for library_dir in _list_library_dirs(settings):
        with suppress(ModelError):
            return ModelFolder(library_dir / name).read_description().io_spec
    return None


def _list_library_dirs(settings: Settings) -> tuple[Path, Path]:
    return settings.shipped_models_dir, settings.runs_dir


def _sort_key(folder: Path) -> tuple[bool, str]:
    return folder.name != DEFAULT_MODEL, folder.name
