"""A box around one cell."""

from typing import NamedTuple


class Box(NamedTuple):
    """Box in pixels of the original image.

    Attributes
    ----------
    top, left : int
        First row and first column.
    bottom, right : int
        Last row and last column plus one.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the middle of the box."""
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2


def iou(a: Box, b: Box) -> float:
    """Compute the intersection over union of two boxes; 0 if they do not touch.

    Examples
    --------
    >>> iou(Box(0, 0, 10, 10), Box(0, 5, 10, 15))  # 50 px shared, 150 px in all
    0.3333333333333333
    """
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    width = min(a.right, b.right) - max(a.left, b.left)
    if height <= 0 or width <= 0:
        return 0.0
    shared = height * width
    return shared / (a.area_px + b.area_px - shared)
