"""What an evaluation is asked for: a model, and a labelled dataset or a part of it."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from bloodcell.core.spec import Spec, require
from bloodcell.datasets.catalog.source_spec import SourceSpec

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True)
class EvaluateSpec(Spec):
    """One evaluation.

    Attributes
    ----------
    name : str
        Of its folder in the workspace.
    model : str
        Name of a model in the model library.
    data : SourceSpec
        The labelled images; its `groups` say which show the same cell, its `split` whose parts are meant.
    title : str, default ""
        What to show; `display_title` where it is empty.
    part : str, default ""
        Part of the split that `data` names, or else of the dataset itself (train, test); "" for all images.
    leaves_out_marked : bool, default False
        Leave out the images of a registered dataset whose labels are marked as wrong.
    compares_pixels : bool, default True
        Also search other registered datasets for near copies of training images.
    """

    name: str
    model: str
    data: SourceSpec
    title: str = ""
    part: str = ""
    leaves_out_marked: bool = False
    compares_pixels: bool = True

    NOUN: ClassVar[str] = "spec of an evaluation"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            NAME_PATTERN.fullmatch(self.name) is not None,
            "`name` must be up to 80 small letters, digits, dots, dashes and underscores, the first a letter or digit."
            f" Received: {self.name[:100]!r}.",
        )
        require(bool(self.model), "`model` must name a model in the model library. Received: ''.")
        require(
            not self.data.split or bool(self.part),
            f"`part` must name a part of the split {self.data.split!r}. Received: ''.",
        )

    @property
    def display_title(self) -> str:
        """The title that lists of jobs and evaluations show."""
        return self.title or f"{self.model} on {self.data.name}" + (f", {self.part}" if self.part else "")
