"""Write a document as PDF: A4, page numbers, a font of its own in the file.

Every text is escaped here; letters that the font lacks become `MISSING_GLYPH`.
"""

import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, Preformatted, SimpleDocTemplate, Spacer
from reportlab.platypus import Paragraph as TextFlowable
from reportlab.platypus import Table as TableFlowable

from bloodcell.reports.document import (
    Alert,
    Block,
    Chart,
    Code,
    Columns,
    Document,
    Facts,
    Heading,
    Images,
    Matrix,
    Paragraph,
    Table,
    format_cell,
)

FONT: Final = "Vera"  # of reportlab itself, so that it is there on every machine: Latin letters only
BOLD: Final = "VeraBd"
MISSING_GLYPH: Final = "?"
_BLANKS: Final = re.compile(r"[^\S\xa0]+")  # but for the one that does not break
MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN  # of what is on a page
_PADDING: Final = 6  # reportlab's own, between the frame of a page and its contents
MAX_TEXT: Final = 600  # a cell of a table must fit on a page
_TEXT: Final = colors.HexColor("#26222f")
_GREY: Final = colors.HexColor("#6b6777")
_LINE: Final = colors.HexColor("#e0dde8")
_FONTS: Final = {
    name: TTFont(name, str(Path(reportlab.__file__).parent / "fonts" / f"{name}.ttf")) for name in (FONT, BOLD)
}


def _style(name: str, size: float, **changes: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        **{"fontName": FONT, "fontSize": size, "leading": 1.35 * size, "textColor": _TEXT, "spaceAfter": 4} | changes,
    )


_BODY = _style("body", 8.5)
_NOTE = _style("note", 7.2, textColor=_GREY)
_TITLE = _style("title", 15, fontName=BOLD)
_HEADING = _style("heading", 11.5, fontName=BOLD, spaceBefore=12, spaceAfter=5, keepWithNext=1)
_SUBHEADING = _style("subheading", 8.5, fontName=BOLD, spaceBefore=5, keepWithNext=1)
_ALERT = _style(
    "alert",
    9,
    textColor=colors.HexColor("#8c1d18"),
    backColor=colors.HexColor("#fdecea"),
    borderColor=colors.HexColor("#b3261e"),
    borderWidth=0.8,
    borderPadding=6,
    spaceBefore=12,
    spaceAfter=14,
)
_MILD_ALERT = ParagraphStyle(
    "mild",
    _ALERT,
    textColor=colors.HexColor("#6b4a00"),
    backColor=colors.HexColor("#fff6df"),
    borderColor=colors.HexColor("#d99a00"),
)
_CELL = _style("cell", 7.2, spaceAfter=0)
_HEADER_CELL = _style("header", 7.2, fontName=BOLD, spaceAfter=0)
_GREY_CELL = _style("grey", 7.2, textColor=_GREY, spaceAfter=0)
_CAPTION = _style("caption", 5.6, textColor=_GREY, spaceAfter=0)
_CODE = _style("code", 6.8)
_FACT = _style("fact", 13, fontName=BOLD, spaceAfter=0)
_FACT_NAME = _style("fact name", 7.2, textColor=_GREY, spaceAfter=0)


def make_printable(text: str, max_length: int = MAX_TEXT) -> str:
    """Return a text as the font can print it: blanks for breaks, `MISSING_GLYPH` for what the font lacks.

    Parameters
    ----------
    text : str
    max_length : int, default 600
        A longer text is cut.

    Examples
    --------
    >>> make_printable("naïve Ж")
    'naïve ?'
    """
    known = _FONTS[FONT].face.charToGlyph
    shown = "".join(char if ord(char) in known else MISSING_GLYPH for char in _BLANKS.sub(" ", text))
    return shown if len(shown) <= max_length else shown[: max_length - 3] + "..."


def lacks_letters(texts: Sequence[str]) -> bool:
    """Return whether the font lacks a letter of any text."""
    known = _FONTS[FONT].face.charToGlyph
    return any(ord(char) not in known for text in texts for char in text if not char.isspace())


def write_pdf(document: Document) -> bytes:
    """Write a document as PDF, A4; charts without a version for paper are left out.

    Parameters
    ----------
    document : Document

    Returns
    -------
    bytes
    """
    flowables: list[Flowable] = [_make_text(document.title, _TITLE), _make_text(document.lead, _BODY)]
    if lacks_letters([document.title, document.lead, *_list_texts(document)]):
        note = f"Letters that the font of this PDF lacks are shown as {MISSING_GLYPH}; the HTML report shows them."
        flowables.append(_make_text(note, _NOTE))
    for section in document.sections:
        flowables.append(_make_text(section.title, _HEADING))
        flowables += _make_all(section.blocks, WIDTH)
    stream = io.BytesIO()
    template = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=MARGIN - _PADDING,
        rightMargin=MARGIN - _PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=make_printable(document.title, 200),
        author="Bloodcell",
        lang="en",
    )
    draw_footer = _make_footer(make_printable(document.footer, 120))
    template.build(flowables, onFirstPage=draw_footer, onLaterPages=draw_footer)
    return stream.getvalue()


def _list_texts(document: Document) -> Iterator[str]:
    """Yield what may hold names from outside."""
    for section in document.sections:
        yield section.title
        for block in section.blocks:
            match block:
                case Paragraph(text) | Alert(text) | Heading(text) | Code(text):
                    yield text
                case Table():
                    yield from (text for row in block.rows for text in row if isinstance(text, str))
                case Images(thumbnails):
                    yield from (thumbnail.caption for thumbnail in thumbnails)


def _make_text(text: str, style: ParagraphStyle) -> Flowable:
    return TextFlowable(html.escape(make_printable(text), quote=False), style)


def _make_all(blocks: Sequence[Block], width: float) -> list[Flowable]:
    return [flowable for block in blocks for flowable in _make(block, width)]


def _make(block: Block, width: float) -> list[Flowable]:
    """Make what a block is on paper, of that width in points."""
    match block:
        case Paragraph(text, is_note):
            return [_make_text(text, _NOTE if is_note else _BODY)]
        case Alert(text, is_mild):
            return [_make_text(text, _MILD_ALERT if is_mild else _ALERT)]
        case Heading(text):
            return [_make_text(text, _SUBHEADING)]
        case Code(text):
            return [_make_code(text), _make_gap()]
        case Facts(pairs):
            cells = [[[_make_text(number, _FACT), _make_text(name, _FACT_NAME)] for number, name in pairs]]
            return [_make_table(cells, [width / len(pairs)] * len(pairs), _padding(2)), _make_gap()]
        case Table():
            return [_make_text_table(block, width), _make_gap(1)]
        case Matrix():
            return [_make_matrix(block, width), _make_gap(1)]
        case Chart(on_paper=on_paper):
            return _make_chart(on_paper, width)
        case Images():
            return [_make_gallery(block, width)]
        case Columns():
            return _make_columns(block, width)


def _make_chart(on_paper: Callable[[float], Flowable] | Matrix | None, width: float) -> list[Flowable]:
    if isinstance(on_paper, Matrix):
        return _make(on_paper, width)
    return [] if on_paper is None else [on_paper(width), _make_gap(2)]


def _make_code(text: str) -> Flowable:
    known = _FONTS[FONT].face.charToGlyph
    shown = "".join(
        char if char == "\n" or ord(char) in known else MISSING_GLYPH for char in text.replace("\t", "    ")
    )
    return Preformatted(shown, _CODE, maxLineLength=120)


def _make_gap(height_mm: float = 3) -> Flowable:
    return Spacer(1, height_mm * mm)


def _make_table(
    cells: Sequence[Sequence[Any]], widths: Sequence[float], style: Sequence[Any], **options: Any
) -> Flowable:
    table = TableFlowable([list(row) for row in cells], list(widths), **options)
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *style])
    return table


def _make_text_table(table: Table, width: float) -> Flowable:
    n_columns, first_grey = len(table.header), len(table.header) - table.n_grey
    widths = table.widths or [1 / n_columns] * n_columns

    def make_cell(value: str | int, style: ParagraphStyle, column: int) -> Flowable:
        if column < table.n_text:
            return _make_text(format_cell(value), style)
        # A line breaks before the bracket of an interval, not inside.
        text = format_cell(value).replace(" to ", "\xa0to\xa0")
        return _make_text(text, ParagraphStyle(f"{style.name} right", style, alignment=2))

    header = [make_cell(text, _HEADER_CELL, column) for column, text in enumerate(table.header)]
    rows = [
        [make_cell(value, _GREY_CELL if column >= first_grey else _CELL, column) for column, value in enumerate(row)]
        for row in table.rows
    ]
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE), *_padding(2)]
    return _make_table([header, *rows], [width * share for share in widths], style, repeatRows=1)


def _make_matrix(matrix: Matrix, width: float) -> Flowable:
    n_columns = len(matrix.column_names)
    size = 7.2 if n_columns < 10 else max(3.5, 72 / (n_columns + 1))
    left = _style("matrix", size, spaceAfter=0)
    middle = ParagraphStyle("matrix middle", left, alignment=1)
    header = [_make_text(matrix.corner, left), *(_make_text(name, middle) for name in matrix.column_names)]
    # The text of a cell is no paragraph: a matrix of many classes is drawn quickly.
    rows = [
        [_make_text(name, left), *map(make_printable, cells)]
        for name, cells in zip(matrix.row_names, matrix.cells, strict=True)
    ]
    style: list[Any] = [
        ("FONT", (1, 1), (-1, -1), FONT, size),
        ("ALIGN", (1, 1), (-1, -1), "CENTER"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("INNERGRID", (1, 1), (-1, -1), 1, colors.white),
        *_padding(min(4.0, 40 / (n_columns + 1))),
    ]
    light, dark = colors.white, colors.HexColor("#54246a")
    for row, shades in enumerate(matrix.shades):
        for column, shade in enumerate(shades):
            place = (column + 1, row + 1)
            colour = colors.linearlyInterpolatedColor(light, dark, 0, 1, min(1.0, max(0.0, shade)))
            style.append(("BACKGROUND", place, place, colour))
            style.append(("TEXTCOLOR", place, place, colors.white if shade > 0.5 else _TEXT))
    widths = [0.18 * width, *[0.82 * width / max(5, n_columns)] * n_columns]
    return _make_table([header, *rows], widths, style, hAlign="LEFT")


def _make_gallery(images: Images, width: float) -> Flowable:
    n_columns = images.n_columns
    side = width / n_columns
    cells: list[Any] = [
        [Image(io.BytesIO(one.jpeg), side - 4, side - 4, kind="proportional"), _make_text(one.caption, _CAPTION)]
        for one in images.thumbnails
    ]
    cells += [""] * (-len(cells) % n_columns)
    rows = [cells[start : start + n_columns] for start in range(0, len(cells), n_columns)]
    return _make_table(rows, [side] * n_columns, _padding(2))


def _make_columns(block: Columns, width: float) -> list[Flowable]:
    """Put drawn charts side by side, two to a row; wider things below each other."""
    columns = [blocks for blocks in block.columns if not _is_for_screens_only(blocks)]
    if any(isinstance(part, Table | Images | Columns) or _is_matrix(part) for blocks in columns for part in blocks):
        return [flowable for blocks in columns for flowable in _make_all(blocks, width)]
    half = width / 2
    cells: list[Any] = [_make_all(blocks, half - 12) for blocks in columns]
    cells += [""] * (len(cells) % 2)
    rows = [cells[start : start + 2] for start in range(0, len(cells), 2)]
    return [_make_table(rows, [half, half], [*_padding(0), ("RIGHTPADDING", (0, 0), (0, -1), 12)])] if rows else []


def _is_for_screens_only(blocks: Sequence[Block]) -> bool:
    charts = [block for block in blocks if isinstance(block, Chart)]
    return bool(charts) and all(chart.on_paper is None for chart in charts)


def _is_matrix(block: Block) -> bool:
    return isinstance(block, Matrix) or (isinstance(block, Chart) and isinstance(block.on_paper, Matrix))


def _make_footer(text: str) -> Callable[[Any, Any], None]:
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
