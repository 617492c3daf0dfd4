"""The scale that a model of physical frames needs, measured on images of single cells, which come without one."""

from collections.abc import Iterable

from bloodcell.core.errors import BloodcellError, ModelError
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_scale import measure_batch_scale
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.io_spec import PHYSICAL_FRAME, ModelIOSpec


def measure_frame_scale(io_spec: ModelIOSpec, images: Iterable[bytes | BloodcellError], name: str) -> float | None:
    """Measure the diameter of red cells in images of one microscope, where a model needs it.

    Parameters
    ----------
    io_spec : ModelIOSpec
        Of the model.
    images : iterable of bytes or BloodcellError
        The first are read (`field_scale.MAX_SCALE_IMAGES`).
    name : str
        What the images are called, for the error.

    Returns
    -------
    float or None
        In pixels; None for a model that frames cells by their boxes.

    Raises
    ------
    ModelError
        If no image shows red cells enough.
    """
    if io_spec.frame != PHYSICAL_FRAME:
        return None
    scale = measure_batch_scale(Detector(SHIPPED_DETECTOR), images)
    if scale is None:
        raise ModelError(
            f"This model sees cells at their real size, but no image of {name} shows red cells enough to tell the scale."
        )
    return scale.red_cell_px
