"""ResNet50 features and a one-against-one SVM as one network: the predictions of scikit-learn without scikit-learn."""

import itertools
from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from bloodcell.core.errors import ModelError, SpecError
from bloodcell.model_store.io_spec import FEATURES, LOGITS
from bloodcell.networks.builders.pretrained import build_pooled_backbone
from bloodcell.networks.settings import NetworkSettings

if TYPE_CHECKING:
    from sklearn.svm import SVC

KERNELS: Final = ("linear", "rbf")
PAIRS: Final = "pairs"


def build_resnet50_svm(settings: NetworkSettings) -> keras.Model:
    """Build ResNet50 with a linear SVM of zeros, which `training.fitting.svm` fits; its outputs are those of `add_svm`.

    Raises
    ------
    SpecError
        If `settings.ood_head` is True: an SVM has no such head.
    """
    if settings.ood_head:
        raise SpecError("`ood_head` must be false with an SVM. Received: True.")
    crops, features = build_pooled_backbone("ResNet50", settings)
    pairs = layers.Dense(_count_pairs(settings.n_classes), kernel_initializer="zeros", name=PAIRS)(features)
    return keras.Model(crops, {LOGITS: _score_classes(pairs, settings.n_classes)}, name="resnet50_svm")


def add_svm(model: keras.Model, svc: "SVC", mean: npt.NDArray[Any], sd: npt.NDArray[Any]) -> keras.Model:
    """Add a fitted SVM after the features of a network, as constants of its graph.

    Parameters
    ----------
    model : keras.Model
        With a layer "features" (N, F).
    svc : sklearn.svm.SVC
        With classes 0 to C - 1, fitted on `(features - mean) / sd`; kernel "linear", or "rbf" with a number as gamma.
    mean, sd : ndarray of float, shape (F,)

    Returns
    -------
    keras.Model
        Layer "pairs" gives the decision for each pair of classes, as `decision_function` of shape "ovo", positive for
        the first class. Output "logits" (N, C): for three or more classes scikit-learn's `decision_function` of shape
        "ovr", votes plus a share below a half that breaks ties, so that the largest is the class that `predict` gives
        with `break_ties=True`; for two classes minus and plus half of `decision_function`.

    Raises
    ------
    ModelError
        If the SVM has another kernel or other classes.
    """
    n_classes = len(svc.classes_)
    if svc.kernel not in KERNELS or (svc.kernel == "rbf" and not isinstance(svc.gamma, float)):
        raise ModelError(
            f"The SVM's kernel must be one of {KERNELS}, with a number as gamma. Received: {svc.kernel}, {svc.gamma}."
        )
    if svc.classes_.tolist() != list(range(n_classes)):
        raise ModelError(f"The SVM's classes must be 0 to {n_classes - 1}. Received: {svc.classes_.tolist()}.")
    features = model.get_layer(FEATURES).output
    centred = layers.Rescaling(1.0, offset=(-mean).astype(np.float32), name="features_centring")(features)
    standard = layers.Rescaling((1 / sd).astype(np.float32), name="features_scaling")(centred)
    if svc.kernel == "linear":
        similarity, kernel = standard, svc.coef_.T
    else:
        similarity, kernel = _rbf_kernel(standard, svc), _compute_pair_weights(svc)
    # With only two classes, scikit-learn inverts the sign.
    sign = -1.0 if n_classes == 2 else 1.0
    pairs = _add_constant_dense(similarity, sign * kernel, sign * svc.intercept_, PAIRS)
    return keras.Model(model.input, {LOGITS: _score_classes(pairs, n_classes)}, name=model.name)


def _rbf_kernel(standard: keras.KerasTensor, svc: "SVC") -> keras.KerasTensor:
    """Compute `exp(-gamma * |x - v|^2)` for each support vector v, by `|x|^2 - 2 x v + |v|^2`."""
    vectors = np.asarray(svc.support_vectors_)
    squares = ops.sum(ops.square(standard), axis=1, keepdims=True)
    rest = _add_constant_dense(standard, -2 * vectors.T, (vectors**2).sum(axis=1), "support_vectors")
    distance = ops.maximum(squares + rest, 0.0)
    return layers.Activation("exponential")(layers.Rescaling(-svc.gamma)(distance))


def _compute_pair_weights(svc: "SVC") -> npt.NDArray[np.float64]:
    """Compute the weight of each support vector in each pair, (vectors, pairs); LIBSVM keeps C - 1 numbers per vector."""
    ends = np.concatenate([[0], np.cumsum(svc.n_support_)])
    weights = np.zeros((ends[-1], _count_pairs(len(svc.n_support_))))
    for pair, (first, second) in enumerate(itertools.combinations(range(len(svc.n_support_)), 2)):
        of_first, of_second = (slice(ends[number], ends[number + 1]) for number in (first, second))
        weights[of_first, pair] = svc.dual_coef_[second - 1, of_first]
        weights[of_second, pair] = svc.dual_coef_[first, of_second]
    return weights


def _score_classes(pairs: keras.KerasTensor, n_classes: int) -> keras.KerasTensor:
    """Turn decisions of pairs (N, P) into scores of classes (N, C), as scikit-learn's "ovr" adds them up."""
    signs = np.zeros((_count_pairs(n_classes), n_classes))
    for pair, (first, second) in enumerate(itertools.combinations(range(n_classes), 2)):
        signs[pair, first], signs[pair, second] = 1, -1
    margins = _add_constant_dense(pairs, signs, None, "margins")
    if n_classes == 2:
        return layers.Rescaling(0.5, name=LOGITS)(margins)
    # The winner of a pair gets 1 and the other class 0: half the sign, and half a vote for both.
    won = ops.cast(ops.greater_equal(pairs, 0.0), "float32") * 2.0 - 1.0
    votes = _add_constant_dense(won, signs / 2, np.full(n_classes, (n_classes - 1) / 2), "votes")
    return layers.Add(name=LOGITS)([votes, margins / (3.0 * (ops.abs(margins) + 1.0))])


def _add_constant_dense(
    x: keras.KerasTensor, kernel: npt.NDArray[Any], bias: npt.NDArray[Any] | None, name: str
) -> keras.KerasTensor:
    layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, trainable=False, name=name)
    output = layer(x)
    layer.set_weights([weights.astype(np.float32) for weights in (kernel, bias) if weights is not None])
    return output


def _count_pairs(n_classes: int) -> int:
    return n_classes * (n_classes - 1) // 2
