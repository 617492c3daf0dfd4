"""How far a cell lies from the cells a model learned from, by the network's own features."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bloodcell.core.errors import ModelError

# Added to the covariance, as a share of its mean variance: features that never vary must not divide by nothing.
RIDGE = 1e-3


@dataclass(frozen=True)
class FeatureStatistics:
    """Where the features of known cells lie: one mean per class, one covariance for all.

    means : float32 (C, F)
    whitening : float32 (F, F), features times this have unit covariance around their class's mean
    """

    means: np.ndarray
    whitening: np.ndarray

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distance to the nearest class mean, per feature.

        Parameters
        ----------
        features : float array of shape (N, F)

        Returns
        -------
        float32 array of shape (N,): squared distance over F, about 1 for a typical cell

        References
        ----------
        .. [1] Lee et al. (2018), A simple unified framework for detecting out-of-distribution samples, NeurIPS,
           arXiv:1807.03888
        """
        whitened = features @ self.whitening
        centres = self.means @ self.whitening
        squared = (whitened**2).sum(1)[:, None] - 2 * whitened @ centres.T + (centres**2).sum(1)[None]
        return (squared.min(axis=1) / features.shape[1]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        np.savez_compressed(path, means=self.means, whitening=self.whitening)


def fit_feature_statistics(features: np.ndarray, class_index: np.ndarray) -> FeatureStatistics:
    """Fit the class means and the shared covariance.

    Parameters
    ----------
    features : float array of shape (N, F)
    class_index : int array of shape (N,), 0 and up; every class must occur
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
            feature_statistics = FeatureStatistics(stored["means"], stored["whitening"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"The model folder {path.parent.name} lacks a usable {path.name}.") from error
    n_features = feature_statistics.means.shape[-1] if feature_statistics.means.ndim == 2 else -1
    are_numbers = all(
        part.dtype.kind == "f" and np.isfinite(part).all()
        for part in (feature_statistics.means, feature_statistics.whitening)
    )
    if not are_numbers or feature_statistics.whitening.shape != (n_features, n_features):
        raise ModelError(f"{path.name} of the model folder {path.parent.name} holds no means and whitening that fit.")
    return feature_statistics
