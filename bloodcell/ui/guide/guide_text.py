"""The text of the Guide page."""

from bloodcell.core.labels import CELL_STATUSES, PER_IMAGE_WORDS
from bloodcell.plots import theme

*_FIRST_WORDS, _LAST_WORD = PER_IMAGE_WORDS.values()

KEYS = (
    ("1, 2, 3, 4", "The cell is of the first, second, third, fourth class of the model"),
    ("5", "Other cell: a white cell of another class, or one that cannot be identified"),
    ("6", "Not a white cell"),
    ("Enter", "Confirm: the label shown is correct"),
    ("→ or N, ← or P", "Next cell, previous cell"),
    ("↓, ↑", "The cell below, the cell above"),
    ("PgDn, PgUp", "Next page, previous page"),
    ("U or Ctrl+Z", "Undo your latest review"),
)

IMAGE_OUTCOMES = (
    ("White cells", "Each one is classified."),
    ("No white cell found", "The image is a stained smear, but the field shows no white cell."),
    ("Not a blood smear", "The image does not look like a stained smear, so nothing in it is classified."),
    ("Could not be used", "The file is damaged, too large or of another type. The reason is shown next to it."),
)

LIMITS = f"""
- **Not a medical device.** Bloodcell is for research and teaching. Do not base a diagnosis on it.
- A model knows only the classes that it was trained on. wbc4, the default model, has no class for basophils, immature
  granulocytes or blasts: label them yourself as *Other cell*.
- With another stain, microscope or camera than in its training images, a model is less confident and sometimes wrong.
  Watch the share of *Unfamiliar* cells; where it is high, check every cell.
- A model that you train on the Train page is only as good as its images: each cell once, or its copies marked as a
  group; enough cells of each class; more than one slide. Its metrics on held-out cells are on the Models page.
- The Evaluate page measures a model on your own labelled images. Before any metric, read its first line, which says how
  many of these images the model was trained on. The Compare page compares two models; often it shows no difference.
- A model that looks at whole images classifies only the largest white cell of each.
- The image CSV has one row per image: its largest white cell. The cell CSV has one row per cell.
- An image without a class gets {", ".join(_FIRST_WORDS)} or {_LAST_WORD} in the image CSV.
- Text in a CSV that begins with = + - @ gets a quote in front, so that a spreadsheet does not run it.
"""


def format_statuses() -> str:
    """Return the three statuses of a cell and their meaning as a Markdown list."""
    styles = (theme.STATUS_STYLES[status] for status in CELL_STATUSES)
    return "\n".join(f"- **{style.sign} {style.word}.** {style.meaning}" for style in styles)


def format_table(head: tuple[str, str], rows: tuple[tuple[str, str], ...]) -> str:
    """Return rows of two columns as a Markdown table, the first column bold.

    Examples
    --------
    >>> print(format_table(("Key", "What it does"), (("U", "Undo"),)))
    | Key | What it does |
    |---|---|
    | **U** | Undo |
    """
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| **{left}** | {right} |" for left, right in rows)]
    return "\n".join(lines)
