"""Write a document as one self-contained HTML file: nothing is fetched from anywhere.

Every text is escaped here. A content security policy in the page forbids it any request, so that not even a mistake of
ours could tell an outside host what is looked at.
"""

import base64
import html
from collections.abc import Sequence

from plotly.io import to_html
from plotly.offline import get_plotlyjs

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
    Thumbnail,
    format_cell,
)

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
_STYLE = """
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #26222f;
  max-width: 1180px; margin: 0 auto; padding: 24px 24px 64px; background: #fff; }
h1 { font-size: 26px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 44px 0 8px; padding-top: 12px; border-top: 1px solid #e0dde8; }
h3 { font-size: 15px; margin: 18px 0 6px; overflow-wrap: anywhere; }
p { margin: 6px 0 10px; max-width: 90ch; }
.note { color: #5d5868; font-size: 13.5px; }
nav a { margin-right: 18px; color: #7a3b8f; }
table { border-collapse: collapse; margin: 8px 0 16px; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-bottom: 1px solid #e8e6ee;
  overflow-wrap: anywhere; }
th { font-weight: 600; }
td.grey, th.grey { color: #9a97a5; }
.warning { border-left: 5px solid #b3261e; background: #fdecea; color: #8c1d18; padding: 10px 14px; max-width: 88ch; }
.mild { border-left-color: #d99a00; background: #fff6df; color: #6b4a00; }
.columns { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px 28px; align-items: start; }
@media (max-width: 800px) { .columns { grid-template-columns: minmax(0, 1fr); } }
pre { background: #f5f3f8; padding: 10px 14px; font-size: 13px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
th.number { overflow-wrap: normal; }
td:first-child { min-width: 7em; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 40px; margin: 16px 0; }
.facts div { font-size: 13.5px; color: #5d5868; }
.facts b { display: block; font-size: 22px; font-weight: 600; color: #26222f; }
.row { display: grid; gap: 6px; align-items: start; }
.row > * { margin: 0; min-width: 0; }
.row img { width: 100%; display: block; border-radius: 3px; border: 1px solid #e0dde8; box-sizing: border-box; }
figcaption { font-size: 11.5px; line-height: 1.3; color: #5d5868; margin-top: 2px; overflow-wrap: anywhere; }
.row + .row { margin-top: 6px; }
@media print { .js-plotly-plot { break-inside: avoid; } nav { display: none; } }
"""
_CHART_SETTINGS = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def write_html(document: Document) -> bytes:
    """Write a document as HTML.

    Parameters
    ----------
    document : Document

    Returns
    -------
    bytes
        One HTML file in UTF-8.

    Examples
    --------
    >>> b"<h1>1 &lt; 2</h1>" in write_html(Document("1 < 2", "A comparison.", []))
    True
    """
    links = "".join(
        f'<a href="#part-{number}">{html.escape(section.title)}</a>' for number, section in enumerate(document.sections)
    )
    sections = "".join(
        f'<section id="part-{number}"><h2>{html.escape(section.title)}</h2>{_write_blocks(section.blocks)}</section>'
        for number, section in enumerate(document.sections)
    )
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(document.title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body>"
        f"<h1>{html.escape(document.title)}</h1>{_write_block(Paragraph(document.lead))}<nav>{links}</nav>{sections}"
        "</body></html>"
    )
    return text.encode("utf-8", "replace")  # a file name may hold what is no character


def _write_blocks(blocks: Sequence[Block]) -> str:
    return "".join(map(_write_block, blocks))


def _write_block(block: Block) -> str:
    match block:
        case Paragraph(text, is_note):
            return f"<p{' class=note' if is_note else ''}>{html.escape(text)}</p>"
        case Alert(text, is_mild):
            return f'<p class="warning{" mild" if is_mild else ""}" role="alert">{html.escape(text)}</p>'
        case Heading(text):
            return f"<h3>{html.escape(text)}</h3>"
        case Code(text):
            return f"<pre>{html.escape(text)}</pre>"
        case Facts(pairs):
            cells = (f"<div><b>{html.escape(number)}</b>{html.escape(name)}</div>" for number, name in pairs)
            return f'<div class="facts">{"".join(cells)}</div>'
        case Table():
            return _write_table(block)
        case Matrix():
            rows = [(name, *cells) for name, cells in zip(block.row_names, block.cells, strict=True)]
            return _write_table(Table((block.corner, *block.column_names), rows))
        case Chart():
            return _write_chart(block)
        case Images(thumbnails, n_columns):
            figures = "".join(map(_write_thumbnail, thumbnails))
            return f'<div class="row" style="grid-template-columns:repeat({n_columns},minmax(0,1fr))">{figures}</div>'
        case Columns(columns):
            return f'<div class="columns">{"".join(f"<div>{_write_blocks(each)}</div>" for each in columns)}</div>'


def _write_table(table: Table) -> str:
    n_columns, first_grey = len(table.header), len(table.header) - table.n_grey
    names = (
        "" if column < table.n_text else "number grey" if column >= first_grey else "number"
        for column in range(n_columns)
    )
    classes = [f' class="{name}"' if name else "" for name in names]

    def write_row(tag: str, values: Sequence[str | int]) -> str:
        cells = (
            f"<{tag}{css_class}>{html.escape(format_cell(value))}</{tag}>"
            for css_class, value in zip(classes, values, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    return f"<table>{write_row('th', table.header)}{''.join(write_row('td', row) for row in table.rows)}</table>"


def _write_chart(chart: Chart) -> str:
    """Write a chart that can be moved, zoomed and saved as PNG."""
    settings = _CHART_SETTINGS | {"toImageButtonOptions": {"filename": chart.name, "scale": 2}}
    text: str = to_html(chart.plot(), config=settings, include_plotlyjs=False, full_html=False, div_id=chart.name)
    return text


def _write_thumbnail(thumbnail: Thumbnail) -> str:
    uri = "data:image/jpeg;base64," + base64.b64encode(thumbnail.jpeg).decode("ascii")
    caption = f"<figcaption>{html.escape(thumbnail.caption)}</figcaption>" if thumbnail.caption else ""
    name = html.escape(thumbnail.name)
    return f'<figure><img src="{uri}" alt="{name}" title="{name}">{caption}</figure>'
