"""Rows of small images with captions.

They travel inside the page as data URIs: Streamlit serves `st.image` from a store that forgets an image as soon as
the next run does not show it, so quick typing would leave broken images behind.
"""

import base64
import html
from collections.abc import Sequence

import streamlit as st

NO_MODEBAR = {"displayModeBar": False}  # for `st.plotly_chart`
_GRID_STYLE = "display:grid;gap:10px;align-items:start;grid-template-columns:"
_IMAGE_STYLE = "width:100%;display:block;border-radius:6px;border:1px solid rgba(49,51,63,.15);"
_CAPTION_STYLE = "font-size:0.78rem;opacity:0.75;margin-top:3px;overflow-wrap:anywhere;"


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """Return an encoded image as a data URI.

    Parameters
    ----------
    data : bytes
        The image as a file would hold it.
    kind : str, default "jpeg"
        Its format, as in the MIME type.

    Returns
    -------
    str

    Examples
    --------
    >>> data_uri(b"abc", "png")
    'data:image/png;base64,YWJj'
    """
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")


def show_image_grid(images: Sequence[tuple[str, str]], columns: str) -> None:
    """Show images in a grid.

    Parameters
    ----------
    images : sequence of (str, str)
        Data URI and caption of each.
    columns : str
        CSS widths of the columns, such as ``1fr 1fr``.
    """
    parts = [
        f'<figure style="margin:0"><img src="{uri}" alt="{html.escape(caption)}" style="{_IMAGE_STYLE}">'
        f'<figcaption style="{_CAPTION_STYLE}">{html.escape(caption)}</figcaption></figure>'
        for uri, caption in images
    ]
    st.html(f'<div style="{_GRID_STYLE}{columns}">{"".join(parts)}</div>')
