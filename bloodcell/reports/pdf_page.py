"""A PDF of words, tables, pictures and drawings: A4, page numbers, a font of its own in the file.

Every text that comes in is escaped here; letters that the font lacks become `MISSING_GLYPH`.
"""

import html
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, Paragraph, Preformatted, SimpleDocTemplate, Spacer, Table

FONT: Final = "Vera"  # of reportlab itself, so that it is there on every machine: Latin letters only
BOLD: Final = "VeraBd"
MISSING_GLYPH: Final = "?"
_BREAKS: Final = re.compile(r"[^\S\xa0]+")  # blanks, but for the one that does not break
MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN  # of what stands on a page
_PADDING: Final = 6  # reportlab's own, between the frame of a page and what stands in it
MAX_TEXT: Final = 600  # a cell of a table must fit on a page
_TEXT: Final = colors.HexColor("#26222f")
_GREY: Final = colors.HexColor("#6b6777")
_LINE: Final = colors.HexColor("#e0dde8")
_FONTS: Final = {
    name: TTFont(name, str(Path(reportlab.__file__).parent / "fonts" / f"{name}.ttf")) for name in (FONT, BOLD)
}


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name, **{"fontName": FONT, "fontSize": size, "leading": 1.35 * size, "textColor": _TEXT, "spaceAfter": 4} | more
    )


_BODY = _style("body", 8.5)
_NOTE = _style("note", 7.2, textColor=_GREY)
_TITLE = _style("title", 15, fontName=BOLD)
_HEADING = _style("heading", 11.5, fontName=BOLD, spaceBefore=12, spaceAfter=5, keepWithNext=1)
_SUBHEADING = _style("below", 8.5, fontName=BOLD, spaceBefore=5, keepWithNext=1)
_WARNING = _style(
    "warning",
    9,
    textColor=colors.HexColor("#8c1d18"),
    backColor=colors.HexColor("#fdecea"),
    borderColor=colors.HexColor("#b3261e"),
    borderWidth=0.8,
    borderPadding=6,
    spaceBefore=12,
    spaceAfter=14,
)
_MILD = ParagraphStyle(
    "mild",
    _WARNING,
    textColor=colors.HexColor("#6b4a00"),
    backColor=colors.HexColor("#fff6df"),
    borderColor=colors.HexColor("#d99a00"),
)
_CELL = _style("cell", 7.2, spaceAfter=0)
_HEAD = _style("head", 7.2, fontName=BOLD, spaceAfter=0)
_GREY_CELL = _style("grey", 7.2, textColor=_GREY, spaceAfter=0)
_CAPTION = _style("caption", 5.6, textColor=_GREY, spaceAfter=0)
_CODE = _style("code", 6.8)


def make_printable(text: str, max_length: int = MAX_TEXT) -> str:
    """The text as the font can print it: blanks for breaks, `MISSING_GLYPH` for what it lacks, cut to `max_length` letters."""
    known = _FONTS[FONT].face.charToGlyph
    shown = "".join(char if ord(char) in known else MISSING_GLYPH for char in _BREAKS.sub(" ", text))
    return shown if len(shown) <= max_length else shown[: max_length - 3] + "..."


def lacks_letters(texts: Sequence[str]) -> bool:
    """Whether the font lacks a letter of any text."""
    known = _FONTS[FONT].face.charToGlyph
    return any(ord(char) not in known for text in texts for char in text if not char.isspace())


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(html.escape(make_printable(text), quote=False), style)


def paragraph(text: str, note: bool = False) -> Flowable:
    """A paragraph; small and grey as a note."""
    return _paragraph(text, _NOTE if note else _BODY)


def warning(text: str, is_mild: bool = False) -> Flowable:
    """A paragraph in a red box; in a yellow one where it is mild."""
    return _paragraph(text, _MILD if is_mild else _WARNING)


def title(text: str) -> Flowable:
    """The title of the whole."""
    return _paragraph(text, _TITLE)


def heading(text: str, below: bool = False) -> Flowable:
    """The heading of a section, or of something in it; the next part stays with it."""
    return _paragraph(text, _SUBHEADING if below else _HEADING)


def code(text: str) -> Flowable:
    """A command or file, line breaks kept, long lines broken."""
    known = _FONTS[FONT].face.charToGlyph
    shown = "".join(
        char if char == "\n" or ord(char) in known else MISSING_GLYPH for char in text.replace("\t", "    ")
    )
    return Preformatted(shown, _CODE, maxLineLength=120)


def gap(height_mm: float = 3) -> Flowable:
    """Nothing, so high."""
    return Spacer(1, height_mm * mm)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float], n_text: int = 1, n_grey: int = 0
) -> Flowable:
    """A table over the whole width; the first `n_text` columns are text, the others set to the right.

    Parameters
    ----------
    shares : of the width that each column takes; they add up to 1
    n_grey : last columns that are grey
    """
    aligned = ["LEFT" if at < n_text else "RIGHT" for at in range(len(header))]

    def cell(text: str, style: ParagraphStyle, at: int) -> Paragraph:
        numbers = ParagraphStyle(f"{style.name} right", style, alignment=2)
        return _paragraph(text, style if aligned[at] == "LEFT" else numbers)

    first_grey = len(header) - n_grey
    cells = [[cell(text, _HEAD, at) for at, text in enumerate(header)]]
    cells += [
        [cell(text, _GREY_CELL if at >= first_grey else _CELL, at) for at, text in enumerate(row)] for row in rows
    ]
    made = Table(cells, [WIDTH * share for share in shares], repeatRows=1)
    made.setStyle([("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(2)])
    return made


def shaded_table(
    header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], shades: Sequence[Sequence[float]]
) -> Flowable:
    """A table of numbers on shades, as a matrix.

    Parameters
    ----------
    header : above each column, the first above the names of the rows
    rows : (name, numbers as text) of each
    shades : 0 (white) to 1 (dark) of each number; letters are white on dark
    """
    n_columns = len(header)
    size = 7.2 if n_columns <= 10 else max(3.5, 72 / n_columns)
    names = _style("matrix", size, spaceAfter=0)
    column = 0.82 * WIDTH / max(5, n_columns - 1)
    # Text of a cell is no paragraph: a matrix of many classes is drawn quickly.
    middle = ParagraphStyle("matrix middle", names, alignment=1)
    cells: list[list[Any]] = [[_paragraph(text, middle if at else names) for at, text in enumerate(header)]]
    cells += [[_paragraph(name, names), *map(make_printable, numbers)] for name, numbers in rows]
    made = Table(cells, [0.18 * WIDTH, *[column] * (n_columns - 1)], hAlign="LEFT")
    style: list[Any] = [
        ("FONT", (1, 1), (-1, -1), FONT, size),
        ("ALIGN", (1, 1), (-1, -1), "CENTER"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("INNERGRID", (1, 1), (-1, -1), 1, colors.white),
        *_padding(min(4.0, 40 / n_columns)),
    ]
    light, dark = colors.white, colors.HexColor("#54246a")
    for row, some in enumerate(shades):
        for at, shade in enumerate(some):
            place = (at + 1, row + 1)
            colour = colors.linearlyInterpolatedColor(light, dark, 0, 1, min(1.0, max(0.0, shade)))
            style.append(("BACKGROUND", place, place, colour))
            style.append(("TEXTCOLOR", place, place, colors.white if shade > 0.5 else _TEXT))
    made.setStyle(style)
    return made


def side_by_side(parts: Sequence[Flowable]) -> Flowable:
    """Parts beside each other, each with its share of the width."""
    made = Table([list(parts)], [WIDTH / len(parts)] * len(parts))
    made.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(0)])
    return made


def image_grid(shown: Sequence[tuple[bytes, str]], n_columns: int = 8) -> Flowable:
    """Square pictures in rows, (JPEG, caption) each."""
    side = WIDTH / n_columns
    cells: list[Any] = [
        [Image(io.BytesIO(jpeg), side - 4, side - 4), _paragraph(caption, _CAPTION)] for jpeg, caption in shown
    ]
    cells += [""] * (-len(cells) % n_columns)
    made = Table([cells[at : at + n_columns] for at in range(0, len(cells), n_columns)], [side] * n_columns)
    made.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(2)])
    return made


def build_document(name: str, parts: Sequence[Flowable], footer: str) -> bytes:
    """Put a PDF together; `footer` stands on each page, beside its number."""
    stream = io.BytesIO()
    made = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=MARGIN - _PADDING,
        rightMargin=MARGIN - _PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=make_printable(name, 200),
        author="Bloodcell",
        lang="en",
    )
    on_page = _footer(make_printable(footer, 120))
    made.build(list(parts), onFirstPage=on_page, onLaterPages=on_page)
    return stream.getvalue()


def _footer(text: str) -> Callable[[Any, Any], None]:
    def draw(canvas: Any, doc: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.setFillColor(_GREY)
        canvas.drawString(MARGIN, 10 * mm, text)
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"Page {doc.page}")

    return draw


def _padding(points: float) -> list[Any]:
    return [(f"{side}PADDING", (0, 0), (-1, -1), points) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]


for _font in _FONTS.values():
    pdfmetrics.registerFont(_font)
