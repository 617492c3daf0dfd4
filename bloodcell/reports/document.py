"""What a report consists of, apart from its format: `html_writer` and `pdf_writer` write the same document.

All texts are plain: the writers escape them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import plotly.graph_objects as go

if TYPE_CHECKING:
    from reportlab.graphics.shapes import Drawing


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; small and grey as a note."""

    text: str
    is_note: bool = False


@dataclass(frozen=True)
class Alert:
    """A paragraph in a box that nobody overlooks: red, or yellow where it is mild."""

    text: str
    is_mild: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Code:
    """A command or file as it stands, line breaks kept."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Numbers in large type with what they are: (number, name) each."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table of texts and numbers.

    Attributes
    ----------
    header : sequence of str
    rows : sequence of sequences of str or int
        Whole numbers are written with thousands separators.
    n_text : int, default 1
        First columns that are text; the others are set to the right.
    n_grey : int, default 0
        Last columns in grey.
    widths : sequence of float, optional
        Share of the width of a printed page that each column takes, 1 in all; equal by default.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | int]]
    n_text: int = 1
    n_grey: int = 0
    widths: Sequence[float] = ()


@dataclass(frozen=True)
class Matrix:
    """A table of numbers on shades.

    Attributes
    ----------
    corner : str
        What rows and columns are.
    row_names, column_names : sequence of str
    cells : sequence of sequences of str
    shades : sequence of sequences of float
        Of each cell, from 0 (white) to 1 (dark).
    """

    corner: str
    row_names: Sequence[str]
    column_names: Sequence[str]
    cells: Sequence[Sequence[str]]
    shades: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Chart:
    """A chart: interactive on screens, drawn or as a matrix on paper.

    Attributes
    ----------
    name : str
        Letters and hyphens, once in a document: its id, and the name of the file that it is saved to.
    plot : callable
        Makes the plotly figure.
    on_paper : callable or Matrix, optional
        Makes the drawing, given its width in points. Left out on paper by default.
    """

    name: str
    plot: Callable[[], go.Figure]
    on_paper: "Callable[[float], Drawing] | Matrix | None" = None


@dataclass(frozen=True)
class Thumbnail:
    """A small image.

    Attributes
    ----------
    jpeg : bytes
    name : str
        What it shows; on screens under the pointer.
    caption : str, default ""
        Below it.
    """

    jpeg: bytes
    name: str
    caption: str = ""


@dataclass(frozen=True)
class Images:
    """Images beside each other, in rows of `n_columns`."""

    thumbnails: Sequence[Thumbnail]
    n_columns: int


@dataclass(frozen=True)
class Columns:
    """Blocks side by side, two columns to a row; below each other where there is no room."""

    columns: "Sequence[Sequence[Block]]"


Block: TypeAlias = Paragraph | Alert | Heading | Code | Facts | Table | Matrix | Chart | Images | Columns


@dataclass(frozen=True)
class Section:
    """A titled part of a document."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title : str
    lead : str
        A paragraph below the title.
    sections : sequence of Section
    footer : str, default ""
        On each printed page.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    footer: str = ""


def format_cell(value: str | int) -> str:
    """Return the text of a table's cell: a whole number with thousands separators.

    Examples
    --------
    >>> format_cell(12345), format_cell("0.91")
    ('12,345', '0.91')
    """
    return f"{value:,}" if isinstance(value, int) else value
