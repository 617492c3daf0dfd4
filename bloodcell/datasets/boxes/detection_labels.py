"""What the labels of boxes mean to a detector: white cell, red cell or platelet, however they are written."""

import re
from collections.abc import Iterable
from typing import Final

from bloodcell.core.labels import PLATELET, RBC, WBC

_MEANINGS: Final = {
    WBC: (
        *(
            "wbc",
            "whitebloodcell",
            "whitecell",
            "leukocyte",
            "leucocyte",
            "neutrophil",
            "segmentedneutrophil",
            "eosinophil",
        ),
        *("bandneutrophil", "basophil", "lymphocyte", "reactivelymphocyte", "monocyte", "blast", "ig", "myelocyte"),
        *("immaturegranulocyte", "metamyelocyte", "promyelocyte", "plasmacell", "smudgecell"),
    ),
    RBC: ("rbc", "redbloodcell", "redcell", "erythrocyte"),
    PLATELET: ("platelet", "plt", "thrombocyte", "giantplatelet"),
}
_MEANING_OF: Final = {word: meaning for meaning, words in _MEANINGS.items() for word in words}


def guess_meanings(labels: Iterable[str]) -> dict[str, str]:
    """Guess what labels mean, whatever their capitals, spaces and plural; kinds of white cells are white cells.

    Parameters
    ----------
    labels : iterable of str

    Returns
    -------
    dict of str to str
        Label -> "WBC", "RBC" or "PLATELET"; labels of another or no known meaning are left out.

    Examples
    --------
    >>> guess_meanings(["Platelets", "Red Blood Cells", "NEUTROPHIL", "artefact"])
    {'Platelets': 'PLATELET', 'Red Blood Cells': 'RBC', 'NEUTROPHIL': 'WBC'}
    """
    words = {label: re.sub(r"[^a-z]", "", label.lower()) for label in labels}
    meanings = {
        label: _MEANING_OF.get(word) or _MEANING_OF.get(word.removesuffix("s")) for label, word in words.items()
    }
    return {label: meaning for label, meaning in meanings.items() if meaning is not None}
