"""Occlusion maps: how much the probability of a class drops where a patch of the crop is covered; for any model."""

from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ExplainError
from bloodcell.core.progress import OnProgress
from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.imaging.stain import find_background
from bloodcell.inference.engine import BATCH_SIZE, Engine
from bloodcell.model_store.io_spec import CELL, MASK_NONE, ModelIOSpec

# Of the crop's shorter side. A fifth covers about a lobe of a nucleus; smaller patches change too little to be seen.
PATCH_SHARE: Final = 1 / 5
STRIDE_SHARE: Final = 1 / 12


def occlusion_maps(
    engine: Engine,
    crop: npt.NDArray[np.uint8],
    patch: float = PATCH_SHARE,
    stride: float = STRIDE_SHARE,
    on_progress: OnProgress | None = None,
) -> npt.NDArray[np.float32]:
    """Cover a crop patch by patch and measure how the prediction changes [1]_.

    A square patch of the crop's own background moves over the crop, also half outside, so that the edge is covered as
    well. The value of a pixel is the mean drop over the patches that cover it. Unlike in the paper, the patch is not
    gray: a network trained on cells has never seen a gray square.

    Parameters
    ----------
    engine : Engine
        The model.
    crop : ndarray of uint8, shape (H, W, 3)
        As the engine expects it.
    patch : float, default `PATCH_SHARE`
        Side of the patch, as a share of the crop's shorter side.
    stride : float, default `STRIDE_SHARE`
        Step of the patch, as a share of the crop's shorter side; at most `patch`.
    on_progress : callable, optional
        Called with (covered crops classified, covered crops).

    Returns
    -------
    ndarray of float32, shape (C, H, W)
        Drop in the calibrated probability of each class, from -1 to 1; negative where covering makes the class more
        likely. At every pixel the classes sum to 0.

    Raises
    ------
    ExplainError
        If `patch` or `stride` is out of range.
    ModelError
        If the engine expects other crops.

    References
    ----------
    .. [1] Zeiler & Fergus (2014), Visualizing and understanding convolutional networks, ECCV, section 4.2,
       doi:10.1007/978-3-319-10590-1_53
    """
    if not 0 < stride <= patch <= 1:
        raise ExplainError(
            f"`patch` must be above 0 and at most 1, and `stride` above 0 and at most `patch`. Received: {patch}, {stride}."
        )
    whole = engine.classify(crop[None]).probs[0]
    height, width = crop.shape[:2]
    patch_px, stride_px = (max(1, round(share * min(height, width))) for share in (patch, stride))
    patches = [
        (slice(max(0, top), top + patch_px), slice(max(0, left), left + patch_px))
        for top in range(stride_px - patch_px, height, stride_px)
        for left in range(stride_px - patch_px, width, stride_px)
    ]
    fill = choose_fill_colour(engine.io_spec, crop)
    drops = np.zeros((len(whole), height, width), np.float64)
    n_covered = np.zeros((height, width), np.int64)
    for start in range(0, len(patches), BATCH_SIZE):
        batch = patches[start : start + BATCH_SIZE]
        covered = np.repeat(crop[None], len(batch), axis=0)
        for copy, (rows, cols) in zip(covered, batch, strict=True):
            copy[rows, cols] = fill
        for probs, (rows, cols) in zip(engine.classify(covered).probs, batch, strict=True):
            drops[:, rows, cols] += (whole - probs)[:, None, None]
            n_covered[rows, cols] += 1
        if on_progress is not None:
            on_progress(start + len(batch), len(patches))
    return (drops / n_covered).astype(np.float32)


def choose_fill_colour(io_spec: ModelIOSpec, crop: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    """Choose the colour that means "nothing here" to a network: the clear background of its input.

    Crops of cells have their background balanced to one level. In whole images it is black where the background is
    hidden, else the background colour of the image, or its median colour where no background is found.

    Parameters
    ----------
    io_spec : ModelIOSpec
        Input of the network.
    crop : ndarray of uint8, shape (H, W, 3)
        The crop or image.
    """
    if io_spec.input == CELL:
        return (BACKGROUND_LEVEL,) * 3
    if io_spec.mask != MASK_NONE:
        return (0, 0, 0)
    background = find_background(crop)
    if background is not None:
        return background.rgb
    red, green, blue = np.median(crop, axis=(0, 1)).astype(int).tolist()
    return red, green, blue
