"""The out-of-distribution score: how far a cell lies from those a model was trained on, by the network's features."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError

# Added to the covariance, as a share of its mean variance: features that never vary must not divide by nothing.
RIDGE: Final = 1e-3


@dataclass(frozen=True)
class FeatureStatistics:
    """Where the features of the training cells lie: one mean for each class, one covariance for all.

    Attributes
    ----------
    means : ndarray of float32, shape (C, F)
        Mean of each class.
    whitening : ndarray of float32, shape (F, F)
        Features times this have unit covariance around the mean of their class.
    """

    means: npt.NDArray[np.float32]
    whitening: npt.NDArray[np.float32]

    @property
    def n_features(self) -> int:
        """Number of features, F."""
        return int(self.means.shape[1])

    def distance(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Compute the Mahalanobis score [1]_: squared distance to the nearest class mean, over F.

        Parameters
        ----------
        features : ndarray of float, shape (N, F)

        Returns
        -------
        ndarray of float32, shape (N,)
            About 1 for a cell like those in training.

        References
        ----------
        .. [1] Lee et al. (2018), A simple unified framework for detecting out-of-distribution samples, NeurIPS,
           arXiv:1807.03888

        Examples
        --------
        >>> statistics = FeatureStatistics(np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32))
        >>> statistics.distance(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
        [0.0, 12.5]
        """
        whitened = features @ self.whitening
        centres = self.means @ self.whitening
        squared = (whitened**2).sum(1)[:, None] - 2 * whitened @ centres.T + (centres**2).sum(1)[None]
        return np.asarray((squared.min(axis=1) / features.shape[1]).astype(np.float32))

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        np.savez_compressed(path, means=self.means, whitening=self.whitening)


def fit_feature_statistics(features: npt.NDArray[Any], class_index: npt.NDArray[Any]) -> FeatureStatistics:
    """Fit the class means and the shared covariance.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
    class_index : ndarray of int, shape (N,)
        From 0 up; every class must occur.
    """
    means = np.stack([features[class_index == c].mean(axis=0) for c in range(int(class_index.max()) + 1)])
    covariance = np.cov((features - means[class_index]).T.astype(np.float64))
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    return FeatureStatistics(means.astype(np.float32), whitening.astype(np.float32))


def load_feature_statistics(path: Path) -> FeatureStatistics:
    """Read what `FeatureStatistics.save` wrote; ModelError if it is missing or damaged."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
            means, whitening = stored["means"], stored["whitening"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"The model folder {path.parent.name} lacks a usable {path.name}.") from error
    n_features = means.shape[-1] if means.ndim == 2 else -1
    are_numbers = all(array.dtype.kind == "f" and np.isfinite(array).all() for array in (means, whitening))
    if not are_numbers or whitening.shape != (n_features, n_features):
        raise ModelError(
            f"In the model folder {path.parent.name}, the means and the whitening in {path.name} do not fit."
        )
    return FeatureStatistics(means, whitening)
