"""What the pipeline finds in one image, and in each white cell of it."""

from dataclasses import dataclass

from bloodcell.imaging.boxes import Box


@dataclass(frozen=True)
class CellResult:
    """One white cell: where it is, what the model says, and how far to trust that.

    Attributes
    ----------
    box : Box
        Place in the image.
    class_name : str
        Predicted class; "" where no model was used.
    probs : tuple of float
        Probability of each class, in the model's order; empty where no model was used.
    status : str
        One of `labels.CELL_STATUSES`; "" where no model was used.
    """

    box: Box
    class_name: str
    probs: tuple[float, ...]
    status: str


@dataclass(frozen=True)
class ImageResult:
    """One image: what it turned out to be, and its white cells.

    Attributes
    ----------
    status : str
        One of `labels.IMAGE_STATUSES`.
    cells : tuple of CellResult
        Its white cells.
    message : str
        One sentence for people, "" where there is nothing to say.
    height_px, width_px : int
        Size of the original image; 0 where it could not be read.
    """

    status: str
    cells: tuple[CellResult, ...]
    message: str
    height_px: int
    width_px: int
