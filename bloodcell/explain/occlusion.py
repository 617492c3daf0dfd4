"""Occlusion maps: how much the probability of a class drops where a part of the crop is covered; any model."""

from collections.abc import Callable

import numpy as np

from bloodcell.core.errors import ExplainError
from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.imaging.stain import find_background
from bloodcell.inference.engine import BATCH_SIZE, Engine
from bloodcell.model_store.io_spec import CELL, MASK_NONE, ModelIOSpec

# Of the crop's shorter side. A fifth covers about a lobe of a nucleus; smaller patches change too little to be seen.
PATCH_SHARE, STRIDE_SHARE = 1 / 5, 1 / 12

Progress = Callable[[int, int], None]


def occlusion_maps(
    engine: Engine,
    crop: np.ndarray,
    patch: float = PATCH_SHARE,
    stride: float = STRIDE_SHARE,
    on_progress: Progress | None = None,
) -> np.ndarray:
    """Cover a crop part by part and see how the model's answer changes [1]_.

    A square patch of the crop's own background goes over the crop, also half outside, so that the edge is covered as
    well. The value of a pixel is the mean drop over the patches that cover it. The patch is not gray, as in the paper,
    but background: a gray square is like nothing that a network of cells has seen.

    Parameters
    ----------
    engine : Engine
    crop : uint8 array of shape (H, W, 3), as the engine takes it
    patch, stride : side of the patch and its step, as shares of the crop's shorter side; stride at most patch
    on_progress : called with (crops answered, crops to answer)

    Returns
    -------
    float32 array of shape (C, H, W)
        Drop of the calibrated probability of each class, from -1 to 1; negative where covering makes the class more
        likely. At every pixel the classes sum to 0.

    Raises
    ------
    ExplainError
        If `patch` and `stride` make no sense.
    ModelError
        If the engine takes other crops.

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
    parts = [
        (slice(max(0, top), top + patch_px), slice(max(0, left), left + patch_px))
        for top in range(stride_px - patch_px, height, stride_px)
        for left in range(stride_px - patch_px, width, stride_px)
    ]
    fill = choose_fill_colour(engine.io_spec, crop)
    drops = np.zeros((len(whole), height, width), np.float64)
    n_covered = np.zeros((height, width), np.int64)
    for start in range(0, len(parts), BATCH_SIZE):
        some = parts[start : start + BATCH_SIZE]
        covered = np.repeat(crop[None], len(some), axis=0)
        for one, (rows, cols) in zip(covered, some, strict=True):
            one[rows, cols] = fill
        for probs, (rows, cols) in zip(engine.classify(covered).probs, some, strict=True):
            drops[:, rows, cols] += (whole - probs)[:, None, None]
            n_covered[rows, cols] += 1
        if on_progress is not None:
            on_progress(start + len(some), len(parts))
    return (drops / n_covered).astype(np.float32)


def choose_fill_colour(io_spec: ModelIOSpec, crop: np.ndarray) -> tuple[int, int, int]:
    """The colour that means "nothing here" to a network: the clear background of what it takes.

    Cells are cut out with their background brought to one level; of whole pictures with a hidden background it is
    black, of others the colour found in the picture, or the median of one that has none.
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
