"""What is asked of an evaluation: a model, a labelled dataset or a part of it, as JSON."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import SpecError
from bloodcell.core.spec import build, json_object, require
from bloodcell.datasets.catalog.sources import SourceSpec

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True)
class EvaluateSpec:
    """One evaluation.

    name : of its folder in the workspace
    model : name of a model on the shelf
    data : SourceSpec, the labelled images; its `groups` say which show the same cell, its `split` whose parts are meant
    title : what to show
    part : of the split that `data` names, or else of the dataset itself (train, test); "" for all images
    leaves_out_marked : leave out the pictures of a registered dataset whose labels are marked as wrong
    compares_pixels : look for near copies of learned pictures in other registered datasets that hold such, too
    """

    name: str
    model: str
    data: SourceSpec
    title: str = ""
    part: str = ""
    leaves_out_marked: bool = False
    compares_pixels: bool = True

    def __post_init__(self) -> None:
        require(
            NAME.fullmatch(self.name) is not None,
            "`name` must be up to 80 small letters, digits, dots, dashes and underscores, the first a letter or digit."
            f" Received: {self.name[:100]!r}.",
        )
        require(bool(self.model), "`model` must name a model of the shelf. Received: ''.")
        require(
            not self.data.split or bool(self.part),
            f"`part` must name a part of the split {self.data.split!r}. Received: ''.",
        )

    @property
    def job_title(self) -> str:
        """What is asked, as the list of jobs shows it."""
        return self.title or f"{self.model} on {self.data.name}" + (f", {self.part}" if self.part else "")

    @classmethod
    def from_json(cls, text: str) -> "EvaluateSpec":
        """Read an evaluation; SpecError names settings that do not exist."""
        values = json_object(text)
        data = values.pop("data", {})
        require(isinstance(data, dict), "`data` must be an object.")
        return build(cls, values | {"data": build(SourceSpec, data)})

    @classmethod
    def read(cls, path: Path) -> "EvaluateSpec":
        """Read it from a file."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpecError(f"The evaluation {path} cannot be read: {error.strerror}.") from error

    def to_json(self) -> str:
        """Write it; `from_json` gives the same."""
        return json.dumps(asdict(self), indent=2)
