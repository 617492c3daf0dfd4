"""Rows of small pictures with captions.

They travel inside the page as data URIs: Streamlit serves `st.image` from a store that forgets a picture as soon as
the next run does not show it, so quick typing would leave broken pictures behind.
"""

import base64
import html
from collections.abc import Sequence

import streamlit as st

NO_MODEBAR = {"displayModeBar": False}  # for `st.plotly_chart`
_STYLE = (
    "display:grid;gap:10px;align-items:start;grid-template-columns:",
    "width:100%;display:block;border-radius:6px;border:1px solid rgba(49,51,63,.15);",
    "font-size:0.78rem;opacity:0.75;margin-top:3px;overflow-wrap:anywhere;",
)


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """Return the bytes of a picture as a data URI."""
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")


def show_image_grid(images: Sequence[tuple[str, str]], columns: str) -> None:
    """Show pictures in a grid.

    Parameters
    ----------
    figures : (data URI, caption) of each
    columns : CSS widths of the columns, such as ``1fr 1fr``
    """
    grid, image, caption = _STYLE
    parts = [
        f'<figure style="margin:0"><img src="{uri}" alt="{html.escape(words)}" style="{image}">'
        f'<figcaption style="{caption}">{html.escape(words)}</figcaption></figure>'
        for uri, words in images
    ]
    st.html(f'<div style="{grid}{columns}">{"".join(parts)}</div>')
