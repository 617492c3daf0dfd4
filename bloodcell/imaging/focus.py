"""How sharp a field is, whatever its size, stain and lamp."""

from typing import Final

import cv2
import numpy as np

_RED_CELL_PX: Final = 36.0  # the scale at which sharpness is measured
_NOISE_SIGMA_PX: Final = 0.8
# Fields of three cameras have 0.0029 or more (1st percentile); blurred by an eighth of a red cell, all have under 0.001.
MIN_SHARPNESS: Final = 0.0015


def measure_sharpness(rgb: np.ndarray, red_cell_px: float) -> float:
    """Measure how much of the contrast of an image is fine detail: the variance of the Laplacian through that of the gray.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    red_cell_px : float
        Diameter of its red cells.

    Returns
    -------
    float
        0 or more; about 0 for an image of one colour. Under `MIN_SHARPNESS` it is out of focus.

    References
    ----------
    .. [1] Pech-Pacheco et al. (2000), Diatom autofocusing in brightfield microscopy, ICPR (variance of the Laplacian)
    """
    factor = _RED_CELL_PX / red_cell_px
    size = (max(3, round(rgb.shape[1] * factor)), max(3, round(rgb.shape[0] * factor)))
    resized = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    gray = cv2.GaussianBlur(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), _NOISE_SIGMA_PX)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var() / max(float(gray.var()), 1.0))
