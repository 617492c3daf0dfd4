"""Colours, signs and layout that every chart and page shares.

Class and status colours are from the Okabe-Ito palette, which stays apart for colour-blind readers; a status
also carries a sign and a word wherever it is shown.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import plotly.graph_objects as go

from bloodcell.core import labels

CLASS_COLOURS: Final = {
    "EOSINOPHIL": "#d55e00",
    "LYMPHOCYTE": "#0072b2",
    "MONOCYTE": "#cc79a7",
    "NEUTROPHIL": "#009e73",
    "BASOPHIL": "#4b3f8f",
}
# For classes without a colour of their own: Okabe-Ito without its yellow, which is too light for a line on white.
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b3f8f", "#444444")
DASHES: Final = ("solid", "dot", "dash", "dashdot", "longdash")
MAX_NAME_LENGTH: Final = 40
MAX_SHORT_LENGTH: Final = 3
OTHER_COLOUR: Final = "#6b6b76"  # decisions that are no class of the model, and classes without a colour
TEXT_COLOUR: Final = "#26222f"
ACCENT_COLOUR: Final = "#7a3b8f"
BAR_COLOUR: Final = "#8d87a3"
OUTLINE_RGB: Final = (122, 59, 143)
OTHER_OUTLINE_RGB: Final = (40, 40, 40)
MASK_RGB: Final = (255, 214, 0)  # yellow: the one colour that stain, red cells and background all lack


@dataclass(frozen=True)
class StatusStyle:
    """How a status is shown.

    Attributes
    ----------
    word, sign, colour : str
    short, meaning : str
        What it means, in short and in full.
    """

    word: str
    sign: str
    colour: str
    short: str
    meaning: str


STATUS_STYLES: Final = {
    labels.CONFIDENT: StatusStyle(
        "Confident",
        "✓",
        "#00725a",
        "the model is sure. Some of these are wrong all the same (see Models).",
        "The model is sure, and the cell resembles those that it was trained on. Some are wrong all the same: the page "
        "Models says how many.",
    ),
    labels.CHECK: StatusStyle(
        "Check",
        "?",
        "#b35900",
        "the model is not sure. Check the cell yourself.",
        "The model prefers one class but is not sure. Check this cell yourself.",
    ),
    labels.UNFAMILIAR: StatusStyle(
        "Unfamiliar",
        "!",
        "#a3195b",
        "unlike the cells that the model was trained on. Choose the label yourself.",
        "The cell or its staining does not resemble those that the model was trained on. Do not rely on the label.",
    ),
}


@dataclass(frozen=True)
class ClassStyle:
    """How one of many classes is drawn: by colour and, as eyes tell few colours apart, by the kind of line.

    Attributes
    ----------
    colour, dash : str
    """

    colour: str
    dash: str


def assign_class_styles(class_names: Sequence[str]) -> dict[str, ClassStyle]:
    """Give every class of a chart a style of its own.

    Parameters
    ----------
    class_names : sequence of str

    Returns
    -------
    dict of str to ClassStyle
        Classes of `CLASS_COLOURS` keep their colour. Up to eight classes differ by colour, up to forty by colour or
        kind of line; beyond that, styles repeat.

    Examples
    --------
    >>> assign_class_styles(["MONOCYTE", "BLAST"])["BLAST"].dash
    'solid'
    """
    styles = {name: ClassStyle(CLASS_COLOURS[name], DASHES[0]) for name in class_names if name in CLASS_COLOURS}
    every = [ClassStyle(colour, dash) for dash, colour in product(DASHES, PALETTE)]
    free = [style for style in every if style not in styles.values()]
    others = [name for name in class_names if name not in styles]
    styles |= {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: styles[name] for name in class_names}


def format_chart_label(label: str) -> str:
    """Return a label for a chart: as `format_label`, cut to `MAX_NAME_LENGTH` letters, and safe.

    Plotly reads tags in its texts, links among them, so a folder's name must not hold any.

    Examples
    --------
    >>> format_chart_label("<b>BLAST")
    '&lt;b&gt;blast'
    """
    text = " ".join(format_label(label).split())
    if len(text) > MAX_NAME_LENGTH:
        text = text[: MAX_NAME_LENGTH - 1] + "…"
    return html.escape(text, quote=False)


def get_class_colour(class_name: str) -> str:
    """Return the colour of a class, grey for a name that has none."""
    return CLASS_COLOURS.get(class_name, OTHER_COLOUR)


def format_label(label: str) -> str:
    """Return a label as people write it.

    A label of up to `MAX_SHORT_LENGTH` letters, all capitals or none, is taken for an abbreviation and stays in capitals:
    ``IG``, immature granulocytes. The empty label becomes ``-``.

    Examples
    --------
    >>> format_label("EOSINOPHIL"), format_label("NOT_A_CELL"), format_label("ig")
    ('Eosinophil', 'Not a white cell', 'IG')
    """
    if label == labels.OTHER_CELL:
        return "Other cell"
    if label == labels.NOT_A_CELL:
        return "Not a white cell"
    if len(label) <= MAX_SHORT_LENGTH and label.isalpha() and (label.isupper() or label.islower()):
        return label.upper()
    return label.replace("_", " ").capitalize() or "-"


def apply_compact_layout(figure: go.Figure, height_px: int) -> go.Figure:
    """Give a chart beside other things the house layout: small margins, no space for a tool bar, no accidental zoom."""
    figure.update_layout(
        height=height_px,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        dragmode=False,
        hoverlabel={"namelength": -1},
    )
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def apply_titled_layout(figure: go.Figure, title: str, height_px: int) -> go.Figure:
    """Give a chart that stands by itself the house layout: title, light grid, room for the titles of its axes."""
    figure.update_layout(
        title={
            "text": title,
            "x": 0,
            "xanchor": "left",
            "font": {"size": 16},
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 8},
        },
        height=height_px,
        margin={"l": 8, "r": 16, "t": 56, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13, "color": TEXT_COLOUR},
        hoverlabel={"namelength": -1},
    )
    axis = {"automargin": True, "gridcolor": "#e6e4ec", "zeroline": False, "linecolor": "#c9c5d6"}
    figure.update_xaxes(**axis, title_font_size=13)
    figure.update_yaxes(**axis, title_font_size=13)
    return figure
