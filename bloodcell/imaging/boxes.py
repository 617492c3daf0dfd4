"""A box around one cell."""

from typing import NamedTuple


class Box(NamedTuple):
    """Pixel box in the original image: rows top..bottom, columns left..right, end excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def area_px(self) -> int:
        return self.height * self.width

    @property
    def centre(self) -> tuple[float, float]:
        """(row, col) of the middle of the box."""
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes; 0 where they do not touch."""
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    width = min(a.right, b.right) - max(a.left, b.left)
    if height <= 0 or width <= 0:
        return 0.0
    shared = height * width
    return shared / (a.area_px + b.area_px - shared)
