"""Charts for paper as plain lines and marks: metrics with intervals, reliability, risk against coverage."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from reportlab.graphics.shapes import Circle, Drawing, Line, Polygon, PolyLine, Rect, String
from reportlab.lib import colors

from bloodcell.evaluation.metrics.reliability import ConfidenceAnalysis
from bloodcell.evaluation.metrics.report import Metric
from bloodcell.plots import theme
from bloodcell.reports.pdf_writer import BOLD, FONT, make_printable

MAX_CURVE_POINTS: Final = 300
_FONT_SIZE: Final = 6.8
_ROW_HEIGHT: Final = 15
_NAMES_SHARE: Final = 0.27  # of the width, for the names of rows
_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACCENT: Final = colors.HexColor(theme.ACCENT_COLOUR)
_PLAIN: Final = colors.HexColor("#b9b6c4")
_BAR: Final = colors.HexColor("#cdb6d6")
_GRID: Final = colors.HexColor("#e6e4ec")
_TEXT: Final = colors.HexColor(theme.TEXT_COLOUR)


def draw_metric_intervals(metrics: Mapping[str, Metric], width: float) -> Drawing:
    """Draw shares from 0 to 1 with their interval over source cells, and in grey the one over images.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By title; those without a value are left out.
    width : float
        In points.

    Returns
    -------
    Drawing
    """
    rows = [(title, metric, metric.value) for title, metric in metrics.items() if metric.value is not None]
    height = _ROW_HEIGHT * len(rows) + 22
    drawing = Drawing(width, height)
    left, right = _NAMES_SHARE * width, width - 26

    def find_x(share: float) -> float:
        return left + share * (right - left)

    for tick in _TICKS:
        drawing.add(Line(find_x(tick), 14, find_x(tick), height, strokeColor=_GRID, strokeWidth=0.6))
        drawing.add(_make_text(find_x(tick), 4, f"{100 * tick:.0f} %", "middle"))
    for number, (title, metric, value) in enumerate(rows):
        y = height - _ROW_HEIGHT * (number + 0.6)
        drawing.add(_make_text(left - 6, y - 2, make_printable(title, 34), "end"))
        if metric.image_interval:
            low, high = map(find_x, metric.image_interval)
            drawing.add(Rect(low, y - 5, high - low, 3, fillColor=_PLAIN, strokeColor=None))
        if metric.interval:
            low, high = map(find_x, metric.interval)
            drawing.add(Line(low, y + 1, high, y + 1, strokeColor=_ACCENT, strokeWidth=1.4))
        drawing.add(Circle(find_x(value), y + 1, 2.4, fillColor=_ACCENT, strokeColor=None))
        drawing.add(_make_text(width, y - 2, f"{100 * value:.1f}", "end"))
    return drawing


def draw_reliability(analysis: ConfidenceAnalysis, width: float) -> Drawing:
    """Draw accuracy against predicted probability; a well calibrated model follows the diagonal."""
    drawing, x, y = _draw_axes(width, "Reliability diagram", "Predicted probability", "Accuracy", 1.0)
    max_images = max(each.n_images for each in analysis.bins)
    for each in analysis.bins:
        low, high = x(each.low), x(each.high)
        bar = Rect(low + 0.5, y(0), high - low - 1, y(each.accuracy) - y(0), fillColor=_BAR, strokeColor=None)
        drawing.add(bar)
    drawing.add(Line(x(0), y(0), x(1), y(1), strokeColor=_PLAIN, strokeWidth=0.8, strokeDashArray=[2, 2]))
    for each in analysis.bins:
        radius = 1.5 + 4 * np.sqrt(each.n_images / max_images)
        drawing.add(Circle(x(each.confidence), y(each.accuracy), float(radius), fillColor=_ACCENT, strokeColor=None))
    return drawing


def draw_risk_coverage(analysis: ConfidenceAnalysis, width: float) -> Drawing:
    """Draw the error rate of the most confident images against the share of images that is kept."""
    highest = max([*analysis.risk.tolist(), analysis.confident[1] if analysis.confident else 0.0, 0.001])
    drawing, x, y = _draw_axes(width, "Error rate against coverage", "Coverage", "Error rate", highest)
    n_points = len(analysis.risk)
    shown = np.unique(np.linspace(0, n_points - 1, min(n_points, MAX_CURVE_POINTS)).round().astype(int))
    points = [value for row in shown for value in (x(float(analysis.coverage[row])), y(float(analysis.risk[row])))]
    if len(shown) > 1:
        drawing.add(PolyLine(points, strokeColor=colors.HexColor(theme.PALETTE[0]), strokeWidth=1.2))
    if analysis.confident is not None:
        coverage, risk = x(analysis.confident[0]), y(analysis.confident[1])
        diamond = [coverage - 4, risk, coverage, risk + 4, coverage + 4, risk, coverage, risk - 4]
        drawing.add(Polygon(diamond, fillColor=_ACCENT, strokeColor=None))
        side = "end" if coverage > width / 2 else "start"
        drawing.add(_make_text(coverage + (-7 if side == "end" else 7), risk + 4, "Confident images", side))
    return drawing


def _draw_axes(
    width: float, title: str, x_title: str, y_title: str, highest: float
) -> tuple[Drawing, Callable[[float], float], Callable[[float], float]]:
    """Draw an empty chart, shares from 0 to 1 and from 0 to `highest`; return it, and where a share lies on it."""
    height = 0.72 * width
    drawing = Drawing(width, height)
    left, bottom, right, top = 34.0, 26.0, width - 10, height - 24

    def find_x(share: float) -> float:
        return left + share * (right - left)

    def find_y(share: float) -> float:
        return bottom + share / highest * (top - bottom)

    for tick in _TICKS:
        y = find_y(tick * highest)
        drawing.add(Line(left, y, right, y, strokeColor=_GRID, strokeWidth=0.6))
        digits = 0 if highest > 0.2 else 1
        drawing.add(_make_text(left - 3, y - 2, f"{100 * tick * highest:.{digits}f} %", "end"))
        drawing.add(_make_text(find_x(tick), bottom - 9, f"{100 * tick:.0f} %", "middle"))
    drawing.add(_make_text(0, height - 8, title, "start", BOLD))
    drawing.add(_make_text((left + right) / 2, 4, x_title, "middle"))
    drawing.add(_make_text(left, top + 5, y_title, "start"))
    return drawing, find_x, find_y


def _make_text(x: float, y: float, text: str, anchor: str, font: str = FONT) -> String:
    return String(x, y, text, textAnchor=anchor, fontName=font, fontSize=_FONT_SIZE, fillColor=_TEXT)
