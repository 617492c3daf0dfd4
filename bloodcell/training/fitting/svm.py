"""Teach the family "ResNet50 features and SVM": the backbone stays as it is, scikit-learn fits the SVM."""

from collections.abc import Iterable

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bloodcell.core.errors import DatasetError
from bloodcell.model_store.io_spec import FEATURES
from bloodcell.networks.builders.svm import add_svm


def extract_features(model: keras.Model, batches: Iterable[np.ndarray]) -> np.ndarray:
    """What layer "features" gives for batches of crops, uint8 (N, H, W, 3): float32 (all, F)."""
    body = keras.Model(model.input, model.get_layer(FEATURES).output)
    parts = [keras.ops.convert_to_numpy(body(batch.astype(np.float32), training=False)) for batch in batches]
    return np.concatenate(parts) if parts else np.empty((0, body.output.shape[-1]), np.float32)


def fit_svm(
    features: np.ndarray, class_index: np.ndarray, kernel: str = "linear", c: float = 1.0, is_balanced: bool = False
) -> tuple[SVC, StandardScaler]:
    """Fit a support vector machine, one class against one [1]_, on standardised features.

    Parameters
    ----------
    features : float array of shape (N, F)
    class_index : int array of shape (N,), 0 to C - 1; every class must occur
    kernel : "linear" or "rbf", the latter with gamma 1 / F: standardised features have variance 1
    c : float, how much an error costs
    is_balanced : bool, weigh classes against their frequency

    Raises
    ------
    DatasetError
        If there are fewer than two classes, or one of 0 to C - 1 does not occur.

    References
    ----------
    .. [1] Chang & Lin (2011), LIBSVM: a library for support vector machines, ACM TIST 2(3):27, doi:10.1145/1961189.1961199
    """
    found = np.unique(class_index)
    if len(found) < 2 or not np.array_equal(found, np.arange(len(found))):
        raise DatasetError(f"An SVM needs two classes or more, each with a cell. Received classes: {found.tolist()}.")
    scaler = StandardScaler().fit(features.astype(np.float64))
    svc = SVC(
        kernel=kernel,
        C=c,
        gamma=1.0 / features.shape[1],
        class_weight="balanced" if is_balanced else None,
        decision_function_shape="ovr",
        break_ties=len(found) > 2,
    )
    return svc.fit(scaler.transform(features.astype(np.float64)), class_index), scaler


def train_svm(
    model: keras.Model, batches: Iterable[np.ndarray], class_index: np.ndarray, kernel: str = "linear", c: float = 1.0
) -> keras.Model:
    """Fit the SVM of a network of `networks.builders.svm` on crops and give the network that answers as it does.

    Parameters
    ----------
    batches : uint8 arrays of shape (N, H, W, 3)
    class_index : int array, class of each crop of all batches
    """
    svc, scaler = fit_svm(extract_features(model, batches), class_index, kernel, c)
    return add_svm(model, svc, scaler.mean_, scaler.scale_)
