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
class OtherCells:
    """The red cells and platelets of an image.

    Attributes
    ----------
    red_cells, platelets : tuple of Box
        From top to bottom, then left to right.
    red_cell_px : float
        Diameter of red cells at which the image was seen.
    is_own_scale : bool
        Whether that is the image's own, because it differs from the batch's.
    sharpness : float
        As `imaging.focus.measure_sharpness` measures it.
    """

    red_cells: tuple[Box, ...]
    platelets: tuple[Box, ...]
    red_cell_px: float
    is_own_scale: bool
    sharpness: float


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
    other_cells : OtherCells or None, default None
        Its red cells and platelets; None where they were not looked for.
    """

    status: str
    cells: tuple[CellResult, ...]
    message: str
    height_px: int
    width_px: int
    other_cells: OtherCells | None = None

    def count_others(self) -> tuple[float | None, int | None, int | None, float | None]:
        """Return diameter, numbers of red cells and platelets, sharpness, as the tables of results have them; or Nones."""
        others = self.other_cells
        if others is None:
            return None, None, None, None
        return others.red_cell_px, len(others.red_cells), len(others.platelets), others.sharpness
