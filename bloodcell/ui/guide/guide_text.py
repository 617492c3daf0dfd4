"""The words of the Guide page."""

from bloodcell.core.labels import CELL_STATUSES, PER_IMAGE_WORDS
from bloodcell.plots import theme

KEYS = (
    ("1, 2, 3, 4", "The cell is of the first, second, third, fourth class of the model"),
    ("5", "Other cell: a white cell of another kind, or one that cannot be told"),
    ("6", "Not a white cell"),
    ("Enter", "Confirm: the label shown is right"),
    ("→ or N, ← or P", "Next cell, previous cell"),
    ("↓, ↑", "The cell below, the cell above"),
    ("PgDn, PgUp", "Next page, previous page"),
    ("U or Ctrl+Z", "Undo your latest decision"),
)

IMAGE_OUTCOMES = (
    ("White cells", "Each one is classified."),
    ("No white cell found", "A stained smear, but no white cell in this field."),
    ("Not a blood smear", "The picture does not look like a stained smear; nothing in it is trusted."),
    ("Could not be used", "The file is damaged, too large or of another kind. The reason stands beside it."),
)

LIMITS = f"""
- **No medical device.** Bloodcell is for research and teaching. Do not base a diagnosis on it.
- It knows only the classes that its model has learned. Basophils, immature cells and blasts are no class of
  wbc4, the model that is offered first: decide them yourself as *Other cell*.
- Another staining, microscope or camera than the model has seen makes it less sure, and sometimes wrong. Watch the
  share of *Unfamiliar*; where it is high, check every cell.
- A model that you train (page Train) is as good as its pictures: every cell once, or copies known, each class in
  numbers, from more than one slide. Its figures on held-out cells stand on the page Models.
- How good a model is on your own labelled pictures, the page Evaluate says: read its first line, on what the model has
  already seen of them, before any figure. Two models are told apart on the page Compare; often no difference is shown.
- A model that looks at whole pictures names only the largest white cell of each.
- The plain CSV has one row an image: the largest white cell in it. The full CSV has one row a cell.
- An image without a class gets one of {", ".join(PER_IMAGE_WORDS.values())} in the plain CSV.
- Text in a CSV that begins with = + - @ gets a quote in front, so that a spreadsheet does not run it.
"""


def format_statuses() -> str:
    """Return the three statuses as a Markdown list."""
    styles = (theme.STATUS_STYLES[status] for status in CELL_STATUSES)
    return "\n".join(f"- **{style.sign} {style.word}.** {style.meaning}" for style in styles)


def format_table(head: tuple[str, str], rows: tuple[tuple[str, str], ...]) -> str:
    """Return rows of two columns as a Markdown table."""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| **{left}** | {right} |" for left, right in rows)]
    return "\n".join(lines)
