"""How to import a model from elsewhere: a `.keras` file with what it does not say itself, or a zipped model folder."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from bloodcell.core.errors import ModelError
from bloodcell.core.spec import Spec, require
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.io_spec import CELL, Input

Format = Literal["keras", "packed"]
KERAS: Final = "keras"
ZIPPED: Final = "packed"
# Level of white in a network's input, -1 standing for -1 to 1 -> how levels 0-255 become that.
LEVELS: Final = {255: "as they are, 0 to 255", 1: "divided by 255", -1: "scaled to -1..1"}
# Side of what is cut out around a cell, in units of its longer side: as Bloodcell's own networks see it.
CONTEXT: Final = 1.25


@dataclass(frozen=True)
class LoadSpec(Spec):
    """One import of a model.

    Attributes
    ----------
    name : str
        Name for the model folder.
    file : str
        Path of the file.
    format : {"keras", "packed"}
        "keras": a network, the default. "packed": a zipped model folder, which says all the rest itself.
    file_name : str
        What the file was called where it came from.
    class_names : tuple of str
        In the order of the network's outputs; only of a network.
    input : {"cell", "image"}
        Input of the network: each found cell, the default, or the whole image.
    levels : int
        Range of levels that the network expects, a key of `LEVELS`, default 255.

    Raises
    ------
    SpecError
        If a setting is missing or not allowed.
    ModelError
        If the class names cannot be those of a network.
    """

    name: str
    file: str
    format: Format = KERAS
    file_name: str = ""
    class_names: tuple[str, ...] = ()
    input: Input = CELL
    levels: int = 255

    NOUN: ClassVar[str] = "model import spec"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.name), "A name for the model is needed.")
        require(bool(self.file), "A file to load is needed.")
        require(self.levels in LEVELS, f"`levels` must be one of {list(LEVELS)}. Received: {self.levels!r}.")
        if self.format == KERAS:
            check_class_names(self.class_names)


def detect_format(file_name: str) -> Format:
    """Tell the format of a file by its name.

    Raises
    ------
    ModelError
        If it is a file of another kind.

    Examples
    --------
    >>> detect_format("My network.KERAS")
    'keras'
    """
    suffix = Path(file_name).suffix.lower()
    if suffix == ".keras":
        return KERAS
    if suffix == ".zip":
        return ZIPPED
    reasons = {
        **dict.fromkeys((".h5", ".hdf5"), "the old HDF5 format (.h5) can hold code; save the network as .keras"),
        **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".joblib"), "opening a pickle can run any program"),
        ".pb": "a SavedModel is a TensorFlow program; save the network as .keras",
    }
    reason = reasons.get(suffix, "choose a .keras file, or a .zip that Bloodcell exported")
    raise ModelError(f"This file cannot be imported: {reason}.")


def parse_class_names(text: str) -> tuple[str, ...]:
    """Parse class names as people write them: one per line, or with commas between them.

    Examples
    --------
    >>> parse_class_names("Monocyte, Eosinophil")
    ('Monocyte', 'Eosinophil')
    """
    return tuple(name for part in re.split(r"[,\n]", text) if (name := " ".join(part.split())))


def make_model_name(file_name: str) -> str:
    """Make a model name from the name of its file, of letters, digits, '.', '_' and '-', which a folder can have.

    Examples
    --------
    >>> make_model_name("my network (2).keras")
    'my-network-2'
    """
    return re.sub(r"[^\w.-]+", "-", Path(file_name.replace("\\", "/")).stem).strip("-._")[:60] or "model"
