"""The class names and statuses that the whole project uses, in their fixed order."""

from typing import Final

WHITE_CELLS_4: Final = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")

# The kinds of cells that a detector finds, in its order.
WBC: Final = "WBC"
RBC: Final = "RBC"
PLATELET: Final = "PLATELET"
DETECTED: Final = (WBC, RBC, PLATELET)

# What a person may correct a cell to, beside the classes of the model.
OTHER_CELL: Final = "OTHER"  # a white cell of another class, or one that cannot be identified
NOT_A_CELL: Final = "NOT_A_CELL"  # the box holds no white cell
EXTRA_DECISIONS: Final = (OTHER_CELL, NOT_A_CELL)

# How far the prediction of a cell can be trusted.
CONFIDENT: Final = "confident"
CHECK: Final = "check"
UNFAMILIAR: Final = "unfamiliar"
CELL_STATUSES: Final = (CONFIDENT, CHECK, UNFAMILIAR)

# What the pipeline says of an image.
HAS_CELLS: Final = "cells"
NO_WHITE_CELL: Final = "no white cell"
NOT_A_SMEAR: Final = "not a blood smear"
UNREADABLE: Final = "unreadable"
IMAGE_STATUSES: Final = (HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNREADABLE)

# What the per-image CSV says of an image without a class.
PER_IMAGE_WORDS: Final = {
    NO_WHITE_CELL: "NO_WHITE_CELL",
    NOT_A_SMEAR: "NOT_A_SMEAR",
    UNREADABLE: "UNREADABLE",
}
