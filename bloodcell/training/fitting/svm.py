"""Train the network "ResNet50 features and SVM": the backbone stays as it is, scikit-learn fits the SVM."""

from collections.abc import Iterable

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bloodcell.core.errors import DatasetError
from bloodcell.model_store.io_spec import FEATURES
from bloodcell.networks.builders.svm import add_svm


def extract_features(model: keras.Model, batches: Iterable[np.ndarray]) -> np.ndarray:
    """Extract the features of crops.

    Parameters
    ----------
    model : keras.Model
        A network with a layer "features" of F numbers.
    batches : iterable of ndarray of uint8, shape (N, H, W, 3)
        The crops.

    Returns
    -------
    ndarray of float32, shape (crops of all batches, F)
    """
    body = keras.Model(model.input, model.get_layer(FEATURES).output)
    features = [keras.ops.convert_to_numpy(body(batch.astype(np.float32), training=False)) for batch in batches]
    return np.concatenate(features) if features else np.empty((0, body.output.shape[-1]), np.float32)


def fit_svm(
    features: np.ndarray, class_index: np.ndarray, kernel: str = "linear", c: float = 1.0, is_balanced: bool = False
) -> tuple[SVC, StandardScaler]:
    """Fit a support vector machine, one class against one [1]_, on standardised features.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
    class_index : ndarray of int, shape (N,)
        0 to C - 1; every class must occur.
    kernel : {"linear", "rbf"}, default "linear"
        "rbf" has gamma 1 / F, as standardised features have variance 1.
    c : float, default 1
        Cost of an error.
    is_balanced : bool, default False
        Weight classes against their frequency.

    Returns
    -------
    svc : SVC
        The fitted machine.
    scaler : StandardScaler
        Standardises features for it.

    Raises
    ------
    DatasetError
        If there are fewer than two classes, or one of 0 to C - 1 does not occur.

    References
    ----------
    .. [1] Chang & Lin (2011), LIBSVM: a library for support vector machines, ACM TIST 2(3):27, doi:10.1145/1961189.1961199
    """
    classes = np.unique(class_index)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        raise DatasetError(f"An SVM needs two classes or more, each with a cell. Received classes: {classes.tolist()}.")
    scaler = StandardScaler().fit(features.astype(np.float64))
    svc = SVC(
        kernel=kernel,
        C=c,
        gamma=1.0 / features.shape[1],
        class_weight="balanced" if is_balanced else None,
        decision_function_shape="ovr",
        break_ties=len(classes) > 2,
    )
    return svc.fit(scaler.transform(features.astype(np.float64)), class_index), scaler


def train_svm(
    model: keras.Model, batches: Iterable[np.ndarray], class_index: np.ndarray, kernel: str = "linear", c: float = 1.0
) -> keras.Model:
    """Fit the SVM of a network of `networks.builders.svm` on crops.

    Parameters
    ----------
    model : keras.Model
        The network without its SVM.
    batches : iterable of ndarray of uint8, shape (N, H, W, 3)
        The crops.
    class_index : ndarray of int
        Class of each crop of all batches.
    kernel, c
        As in `fit_svm`.

    Returns
    -------
    keras.Model
        The network with the SVM built in.

    Raises
    ------
    DatasetError
        As `fit_svm`.
    """
    svc, scaler = fit_svm(extract_features(model, batches), class_index, kernel, c)
    return add_svm(model, svc, scaler.mean_, scaler.scale_)
