"""One self-contained HTML file of words, tables, pictures and charts: nothing is fetched from anywhere.

Every text that comes in is escaped here. A content security policy in the page forbids it any request, so that not
even a mistake of ours could tell an outside host what is looked at.
"""

import base64
import html
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

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
.beside { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px 28px; align-items: start; }
@media (max-width: 800px) { .beside { grid-template-columns: minmax(0, 1fr); } }
pre { background: #f5f3f8; padding: 10px 14px; font-size: 13px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 40px; margin: 16px 0; }
.facts div { font-size: 13.5px; color: #5d5868; }
.facts b { display: block; font-size: 22px; font-weight: 600; color: #26222f; }
.row { display: grid; gap: 6px; align-items: start; }
.row figure { margin: 0; min-width: 0; }
.row img { width: 100%; display: block; border-radius: 3px; border: 1px solid #e0dde8; box-sizing: border-box; }
figcaption { font-size: 11.5px; line-height: 1.3; color: #5d5868; margin-top: 2px; overflow-wrap: anywhere; }
.row + .row { margin-top: 6px; }
@media print { .js-plotly-plot { break-inside: avoid; } nav { display: none; } }
"""
_CHART_SETTINGS = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def paragraph(text: str, note: bool = False) -> str:
    """A paragraph; small and grey as a note."""
    return f"<p{' class=note' if note else ''}>{html.escape(text)}</p>"


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{html.escape(text)}</h3>"


def warning(text: str, is_mild: bool = False) -> str:
    """A paragraph in a red box that nobody overlooks; in a yellow one where it is mild."""
    return f'<p class="warning{" mild" if is_mild else ""}" role="alert">{html.escape(text)}</p>'


def code(text: str) -> str:
    """A command or file as it stands, line breaks kept."""
    return f"<pre>{html.escape(text)}</pre>"


def side_by_side(parts: Sequence[str]) -> str:
    """Parts two by two; below each other on a narrow screen."""
    return f'<div class="beside">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Figures with what they are: (figure, name) each."""
    cells = (f"<div><b>{html.escape(figure)}</b>{html.escape(name)}</div>" for figure, name in pairs)
    return f'<div class="facts">{"".join(cells)}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]], n_text: int = 1, n_grey: int = 0) -> str:
    """A table; the first `n_text` columns are text, the others numbers, set to the right; the last `n_grey` in grey."""
    first_grey = len(header) - n_grey
    names = ("" if at < n_text else "number grey" if at >= first_grey else "number" for at in range(len(header)))
    kinds = [f' class="{name}"' if name else "" for name in names]

    def line(tag: str, values: Sequence[str]) -> str:
        cells = (f"<{tag}{kind}>{html.escape(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    return f"<table>{line('th', header)}{''.join(line('td', row) for row in rows)}</table>"


def image_row(pictures: Sequence[tuple[bytes, str, str]], n_columns: int) -> str:
    """Pictures beside each other.

    Parameters
    ----------
    pictures : (JPEG, what the picture is, caption) of each; the second shows under the pointer, "" is no caption
    n_columns : columns to make, so that rows of fewer pictures keep the size
    """
    thumbnails = []
    for jpeg, name, caption in pictures:
        uri = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        safe = html.escape(name)
        thumbnails.append(f'<figure><img src="{uri}" alt="{safe}" title="{safe}">{below}</figure>')
    return (
        f'<div class="row" style="grid-template-columns:repeat({n_columns},minmax(0,1fr))">{"".join(thumbnails)}</div>'
    )


def chart(figure: go.Figure, name: str) -> str:
    """A chart that can be moved, zoomed and saved as PNG; `name` (letters and hyphens) is its id and its file's name."""
    settings = _CHART_SETTINGS | {"toImageButtonOptions": {"filename": name, "scale": 2}}
    return to_html(figure, config=settings, include_plotlyjs=False, full_html=False, div_id=name)


def page(title: str, lead: str, sections: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """Put a page together.

    Parameters
    ----------
    title : plain text
    lead : plain text below it
    sections : (heading as plain text, parts made by the functions of this module) of each

    Returns
    -------
    bytes, HTML in UTF-8
    """
    links = "".join(f'<a href="#part-{at}">{html.escape(name)}</a>' for at, (name, _) in enumerate(sections))
    parts = "".join(
        f'<section id="part-{at}"><h2>{html.escape(name)}</h2>{"".join(content)}</section>'
        for at, (name, content) in enumerate(sections)
    )
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body>"
        f"<h1>{html.escape(title)}</h1>{paragraph(lead)}<nav>{links}</nav>{parts}</body></html>"
    )
    return text.encode("utf-8", "replace")  # a file name may hold what is no character
