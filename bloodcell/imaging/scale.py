"""Scale the levels of crops before a network: by fixed numbers, or by a mean and deviation fitted on training crops."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from bloodcell.core.errors import DatasetError, ImageError, SpecError

# The axes of (N, H, W, 3) that one mean and one deviation are taken over.
FITTED = {"channel": (0, 1, 2), "global": (0, 1, 2, 3), "pixel": (0,)}
# Mean and deviation. Networks trained on ImageNet expect levels as in their training: those from PyTorch, and
# EfficientNet, by mean and deviation of each channel; those from Caffe (VGG16, ResNet50) minus the mean, blue first.
FIXED: dict[str, tuple[float | tuple[float, ...], float | tuple[float, ...]]] = {
    "-1..1": (127.5, 127.5),
    "255": (0.0, 255.0),
    "imagenet torch": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "imagenet caffe": ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "crop": (0.0, 1.0),  # then by each crop's own, see `Scaling.is_per_crop`
}
PER_CROP = "crop"
# Added to the variance of a crop's own levels, in levels squared, so that a uniform crop does not become noise.
PER_CROP_VARIANCE = 1.0
BGR = ("imagenet caffe",)
ScalingName = Literal["-1..1", "255", "imagenet torch", "imagenet caffe", "crop", "channel", "global", "pixel"]
SCALINGS: tuple[ScalingName, ...] = get_args(ScalingName)
# Crops that are converted to float64 at a time, however many are in one batch.
CROPS_PER_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Scaling:
    """How the levels of crops are scaled before a network: `(levels - mean) / sd`.

    With "crop", mean and deviation are those of each channel of each crop, which removes lamp and strength of the stain
    [1]_: crops of different laboratories come out alike.

    Attributes
    ----------
    name : str
        One of `SCALINGS`.
    mean, sd : ndarray of float64
        Of the same shape: () for "-1..1", "255", "crop" and "global", (3,) for "channel" and those of ImageNet, red
        first, (H, W, 3) for "pixel"; sd is 1 where the level never varied.
    images : int, default 0
        Number of crops they were fitted on; 0 for fixed scalings.
    crops_sha256 : str, default ""
        SHA-256 of the levels of those crops in their order; "" for fixed scalings.

    References
    ----------
    .. [1] Ulyanov, Vedaldi & Lempitsky (2016), Instance normalization: the missing ingredient for fast stylization,
       arXiv:1607.08022
    """

    name: str
    mean: np.ndarray
    sd: np.ndarray
    images: int = 0
    crops_sha256: str = ""

    @property
    def is_bgr(self) -> bool:
        """Whether the scaled channels come out blue first."""
        return self.name in BGR

    @property
    def is_per_crop(self) -> bool:
        """Whether each crop is scaled by its own mean and deviation."""
        return self.name == PER_CROP

    def apply(self, crops: np.ndarray) -> np.ndarray:
        """Scale crops outside a network: uint8 (N, H, W, 3) -> float64 (N, H, W, 3)."""
        if self.is_per_crop:
            levels = crops.astype(np.float64)
            spread = np.sqrt(levels.var(axis=(1, 2), keepdims=True) + PER_CROP_VARIANCE)
            return np.asarray((levels - levels.mean(axis=(1, 2), keepdims=True)) / spread)
        scaled = np.asarray((crops - self.mean) / self.sd)
        return scaled[..., ::-1] if self.is_bgr else scaled


def make_fixed_scaling(name: str) -> Scaling:
    """Make a scaling of `FIXED`, which needs no data.

    Raises
    ------
    SpecError
        If `name` is not in `FIXED`.

    Examples
    --------
    >>> make_fixed_scaling("-1..1").apply(np.full((1, 1, 1, 3), 255, np.uint8))
    array([[[[1., 1., 1.]]]])
    """
    if name not in FIXED:
        raise SpecError(f"A scaling without fitting must be one of {tuple(FIXED)}. Received: {name!r}.")
    mean, sd = FIXED[name]
    return Scaling(name, np.array(mean), np.array(sd))


def fit_scaling(name: str, batches: Iterable[np.ndarray]) -> Scaling:
    """Fit mean and standard deviation in one pass over batches of crops, in float64 [1]_ [2]_.

    Memory does not grow with the number of batches. The deviation is that of the crops themselves (division by n), as
    in scikit-learn's StandardScaler. A level that never varied has deviation 0 and gets 1 instead, also as there:
    scaled training crops are 0 at such a place, and another level there differs from 0 by as many units as levels. A
    place that hardly varied keeps its small deviation, so that another level there becomes a large number: "pixel"
    needs many crops.

    Parameters
    ----------
    name : str
        "pixel" (each place and channel), "channel" (each channel) or "global" (one of each).
    batches : ndarray of uint8, shape (N, H, W, 3)
        N may differ and be 0.

    Returns
    -------
    Scaling

    Raises
    ------
    SpecError
        If `name` is not a scaling that is fitted.
    ImageError
        If a batch has another type or shape.
    DatasetError
        If there is no crop in any batch.

    References
    ----------
    .. [1] Welford (1962), Note on a method for calculating corrected sums of squares and products, Technometrics
       4(3):419-420, doi:10.1080/00401706.1962.10490022
    .. [2] Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician
       37(3):242-247, doi:10.1080/00031305.1983.10483115; their pairwise formula joins the batches
    """
    if name not in FITTED:
        raise SpecError(f"A scaling that is fitted must be one of {tuple(FITTED)}. Received: {name!r}.")
    axes, digest = FITTED[name], hashlib.sha256()
    size: tuple[int, ...] | None = None
    images, count = 0, 0
    mean, squares = np.array(0.0), np.array(0.0)
    for batch in batches:
        _check_batch(batch, size)
        size = batch.shape[1:3]
        for start in range(0, len(batch), CROPS_PER_CHUNK):
            part = np.ascontiguousarray(batch[start : start + CROPS_PER_CHUNK])
            digest.update(part.data)
            levels = part.astype(np.float64)
            part_mean = levels.mean(axis=axes)
            part_count = levels.size // part_mean.size
            levels -= part_mean
            np.square(levels, out=levels)
            shift = part_mean - mean
            total = count + part_count
            squares = squares + levels.sum(axis=axes) + shift**2 * (count * part_count / total)
            mean = mean + shift * (part_count / total)
            count, images = total, images + len(part)
    if images == 0:
        raise DatasetError(f"The scaling {name!r} needs at least one crop to fit. Received: none.")
    sd = np.sqrt(squares / count)
    return Scaling(name, mean, np.where(sd == 0, 1.0, sd), images, digest.hexdigest())


def _check_batch(batch: np.ndarray, size: tuple[int, ...] | None) -> None:
    is_crops = batch.ndim == 4 and batch.shape[3] == 3
    if batch.dtype != np.uint8 or not is_crops or size not in (None, batch.shape[1:3]):
        height, width = size or ("H", "W")
        raise ImageError(
            f"Crops must be uint8 of shape (N, {height}, {width}, 3). Received: {batch.dtype} {batch.shape}."
        )
