"""Charts for the PDF as plain lines and marks: figures with intervals, reliability, risk against coverage."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from reportlab.graphics.shapes import Circle, Drawing, Line, Polygon, PolyLine, Rect, String
from reportlab.lib import colors

from bloodcell.evaluation.metrics.reliability import ConfidenceAnalysis
from bloodcell.evaluation.metrics.report import Metric
from bloodcell.plots import theme
from bloodcell.reports.pdf_page import BOLD, FONT, WIDTH, make_printable

MAX_CURVE_POINTS: Final = 300
_FONT_SIZE: Final = 6.8
_ROW_HEIGHT: Final = 15
_NAMES_SHARE: Final = 0.27  # share of the width for the names of rows
_ACCENT = colors.HexColor(theme.ACCENT_COLOUR)
_PLAIN = colors.HexColor("#b9b6c4")
_GRID = colors.HexColor("#e6e4ec")
_TEXT = colors.HexColor(theme.TEXT_COLOUR)


def draw_metric_intervals(metrics: Mapping[str, Metric], width: float = WIDTH) -> Drawing:
    """Draw shares from 0 to 1 with their interval over source cells, and in grey the one over single pictures.

    Parameters
    ----------
    figures : words -> {value, interval, plain_interval}; those without a value are left out
    """
    rows = [(name, one, one.value) for name, one in metrics.items() if one.value is not None]
    height = _ROW_HEIGHT * len(rows) + 22
    drawing = Drawing(width, height)
    left, right = _NAMES_SHARE * width, width - 26

    def at(share: float) -> float:
        return left + share * (right - left)

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawing.add(Line(at(tick), 14, at(tick), height, strokeColor=_GRID, strokeWidth=0.6))
        drawing.add(_make_text(at(tick), 4, f"{100 * tick:.0f} %", "middle"))
    for number, (name, one, value) in enumerate(rows):
        y = height - _ROW_HEIGHT * (number + 0.6)
        drawing.add(_make_text(left - 6, y - 2, make_printable(name, 34), "end"))
        if one.image_interval:
            low, high = map(at, one.image_interval)
            drawing.add(Rect(low, y - 5, high - low, 3, fillColor=_PLAIN, strokeColor=None))
        if one.interval:
            low, high = map(at, one.interval)
            drawing.add(Line(low, y + 1, high, y + 1, strokeColor=_ACCENT, strokeWidth=1.4))
        drawing.add(Circle(at(value), y + 1, 2.4, fillColor=_ACCENT, strokeColor=None))
        drawing.add(_make_text(width, y - 2, f"{100 * value:.1f}", "end"))
    return drawing


def draw_reliability(analysis: ConfidenceAnalysis, width: float = WIDTH / 2 - 8) -> Drawing:
    """Draw how often answers are right against how sure the model was; a well calibrated model follows the diagonal."""
    drawing, x, y = _draw_axes(
        width, "Does a probability mean what it says?", "Probability of the answer", "Right", 1.0
    )
    most = max(one.n_images for one in analysis.bins)
    for one in analysis.bins:
        low, high = x(one.low), x(one.high)
        bar = Rect(low + 0.5, y(0), high - low - 1, y(one.accuracy) - y(0), strokeColor=None)
        bar.fillColor = colors.HexColor("#cdb6d6")
        drawing.add(bar)
    drawing.add(Line(x(0), y(0), x(1), y(1), strokeColor=_PLAIN, strokeWidth=0.8, strokeDashArray=[2, 2]))
    for one in analysis.bins:
        radius = 1.5 + 4 * np.sqrt(one.n_images / most)
        drawing.add(Circle(x(one.confidence), y(one.accuracy), float(radius), fillColor=_ACCENT, strokeColor=None))
    return drawing


def draw_risk_coverage(analysis: ConfidenceAnalysis, width: float = WIDTH / 2 - 8) -> Drawing:
    """Draw the share of wrong answers among the surest pictures against the share that is answered."""
    highest = max([*analysis.risk.tolist(), analysis.confident[1] if analysis.confident else 0.0, 0.001])
    drawing, x, y = _draw_axes(
        width, "Wrong answers, if only the surest are given", "Pictures answered", "Wrong", highest
    )
    some = np.unique(
        np.linspace(0, len(analysis.risk) - 1, min(len(analysis.risk), MAX_CURVE_POINTS)).round().astype(int)
    )
    points = [value for at in some for value in (x(float(analysis.coverage[at])), y(float(analysis.risk[at])))]
    if len(some) > 1:
        drawing.add(PolyLine(points, strokeColor=colors.HexColor(theme.PALETTE[0]), strokeWidth=1.2))
    if analysis.confident is not None:
        covered, wrong = x(analysis.confident[0]), y(analysis.confident[1])
        diamond = [covered - 4, wrong, covered, wrong + 4, covered + 4, wrong, covered, wrong - 4]
        drawing.add(Polygon(diamond, fillColor=_ACCENT, strokeColor=None))
        side = "end" if covered > width / 2 else "start"
        drawing.add(_make_text(covered + (-7 if side == "end" else 7), wrong + 4, "Confident pictures", side))
    return drawing


def _draw_axes(
    width: float, title: str, below: str, beside: str, highest: float
) -> tuple[Drawing, Callable[[float], float], Callable[[float], float]]:
    """An empty chart, shares from 0 to 1 and from 0 to `highest`; its drawing, and where a share lies on it."""
    height = 0.72 * width
    drawing = Drawing(width, height)
    left, bottom, right, top = 34.0, 26.0, width - 10, height - 24

    def x(share: float) -> float:
        return left + share * (right - left)

    def y(share: float) -> float:
        return bottom + share / highest * (top - bottom)

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawing.add(Line(left, y(tick * highest), right, y(tick * highest), strokeColor=_GRID, strokeWidth=0.6))
        digits = 0 if highest > 0.2 else 1
        drawing.add(_make_text(left - 3, y(tick * highest) - 2, f"{100 * tick * highest:.{digits}f} %", "end"))
        drawing.add(_make_text(x(tick), bottom - 9, f"{100 * tick:.0f} %", "middle"))
    drawing.add(_make_text(0, height - 8, title, "start", BOLD))
    drawing.add(_make_text((left + right) / 2, 4, below, "middle"))
    drawing.add(_make_text(left, top + 5, beside, "start"))
    return drawing, x, y


def _make_text(x: float, y: float, text: str, anchor: str, font: str = FONT) -> String:
    return String(x, y, text, textAnchor=anchor, fontName=font, fontSize=_FONT_SIZE, fillColor=_TEXT)
