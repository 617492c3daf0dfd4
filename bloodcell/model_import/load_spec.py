"""How a model from elsewhere is to be loaded: a `.keras` file with what it cannot say itself, or a zipped model folder."""

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
# Level of white that a network wants, -1 standing for -1 to 1 -> how levels 0-255 are brought there.
LEVELS: Final = {255: "as they are, 0 to 255", 1: "divided by 255", -1: "scaled to -1..1"}
# Of a found cell, what is cut out in units of its longer side: as Bloodcell's own networks see it.
CONTEXT: Final = 1.25


@dataclass(frozen=True)
class LoadSpec(Spec):
    """One loading of a model.

    name : of the folder that comes of it
    file : path of the file
    format : "keras", a network; "packed", a model folder as a zip, which says all the rest itself
    file_name : what the file was called where it came from
    class_names : in the order of the network's outputs
    input : what the network takes, of `model_store.io_spec.INPUTS`
    levels : what it wants its picture's levels to be, of `LEVELS`
    """

    name: str
    file: str
    format: Format = KERAS
    file_name: str = ""
    class_names: tuple[str, ...] = ()
    input: Input = CELL
    levels: int = 255

    NOUN: ClassVar[str] = "spec of a model from elsewhere"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.name), "A name for the model is needed.")
        require(bool(self.file), "A file to load is needed.")
        require(self.levels in LEVELS, f"`levels` must be one of {list(LEVELS)}. Received: {self.levels!r}.")
        if self.format == KERAS:
            check_class_names(self.class_names)


def detect_format(file_name: str) -> Format:
    """Which `Format` a file is by its name; ModelError for any other."""
    suffix = Path(file_name).suffix.lower()
    if suffix == ".keras":
        return KERAS
    if suffix == ".zip":
        return ZIPPED
    reasons = {
        **dict.fromkeys((".h5", ".hdf5"), "the old HDF5 format (.h5) can hold code; save the network as .keras"),
        **dict.fromkeys(
            (".pkl", ".pickle", ".pt", ".pth", ".joblib"), "a pickle can run any program when it is opened"
        ),
        ".pb": "a SavedModel is a TensorFlow program; save the network as .keras",
    }
    reason = reasons.get(suffix, "a model is a .keras file, or a .zip that Bloodcell made of a model folder")
    raise ModelError(f"This file is not taken: {reason}.")


def parse_class_names(text: str) -> tuple[str, ...]:
    """Class names as people write them: one a line, or with commas between them."""
    return tuple(name for part in re.split(r"[,\n]", text) if (name := " ".join(part.split())))


def make_model_name(file_name: str) -> str:
    """A name for the model of a file that can be a folder's name: letters, digits, '.', '_' and '-'."""
    return re.sub(r"[^\w.-]+", "-", Path(file_name.replace("\\", "/")).stem).strip("-._")[:60] or "model"
