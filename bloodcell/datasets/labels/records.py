"""One labelled image of a dataset, as every part of the package passes it on."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bloodcell.core.text import inflect_noun


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes
    ----------
    file : str
        Its path inside the dataset, with `/`.
    label : str
        As written; "" where it has none.
    split : str, default ""
        Train, test and so on, as written; "" where nothing says so.
    """

    file: str
    label: str
    split: str = ""


def name_files(files: Sequence[str]) -> str:
    """Name the first of some files and count the others, for a message.

    Examples
    --------
    >>> name_files(["a.png"]), name_files(["a.png", "b.png"]), name_files(["a.png", "b.png", "c.png"])
    ('a.png', 'a.png and 1 other', 'a.png and 2 others')
    """
    n_others = len(files) - 1
    return files[0] + (f" and {n_others} {inflect_noun(n_others, 'other')}" if n_others else "")


def normalise_label(label: str) -> str:
    """Return the form in which labels and file names are compared: NFC, without regard to case.

    Examples
    --------
    >>> normalise_label("Neutrophil") == normalise_label("NEUTROPHIL")
    True
    """
    return unicodedata.normalize("NFC", label).casefold()
