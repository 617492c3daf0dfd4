"""What the pipeline answers for one image and for each white cell in it."""

from dataclasses import dataclass

from bloodcell.imaging.boxes import Box


@dataclass(frozen=True)
class CellResult:
    """One white cell: where it is, what the model says and how far to trust that.

    class_name : "" where no model was asked
    probs : one probability a class, in the model's order; () where no model was asked
    status : one of `classes.CELL_STATUSES`, "" where no model was asked
    """

    box: Box
    class_name: str
    probs: tuple[float, ...]
    status: str


@dataclass(frozen=True)
class ImageResult:
    """One image: what it turned out to be, and its white cells.

    status : one of `classes.IMAGE_STATUSES`
    message : one plain sentence, "" where there is nothing to say
    height_px, width_px : size of the original image, 0 where it could not be read
    """

    status: str
    cells: tuple[CellResult, ...]
    message: str
    height_px: int
    width_px: int
