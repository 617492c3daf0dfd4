"""ResNet50 features and a support vector machine, one against one, as one network: scikit-learn's answers without it."""

import itertools
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers, ops

from bloodcell.core.errors import ModelError, SpecError
from bloodcell.networks.builders.heads import FEATURES
from bloodcell.networks.builders.pretrained import build_pooled_backbone
from bloodcell.networks.settings import NetworkSettings

if TYPE_CHECKING:
    from sklearn.svm import SVC

KERNELS = ("linear", "rbf")
PAIRS = "pairs"


def build_resnet50_svm(settings: NetworkSettings) -> keras.Model:
    """Build ResNet50 with a linear SVM of zeros, which `training.fitting.svm` fits; as `add_svm` otherwise.

    Raises
    ------
    SpecError
        If a head "known" is asked for: there is none to fit it with.
    """
    if settings.ood_head:
        raise SpecError("An SVM has no head `ood_head`. Received: True.")
    crops, features = build_pooled_backbone("ResNet50", settings)
    pairs = layers.Dense(_count_pairs(settings.n_classes), kernel_initializer="zeros", name=PAIRS)(features)
    return keras.Model(crops, {"logits": _score_classes(pairs, settings.n_classes)}, name="resnet50_svm")


def add_svm(model: keras.Model, svc: "SVC", mean: np.ndarray, sd: np.ndarray) -> keras.Model:
    """Put a fitted SVM behind the features of a network, as constants of its graph.

    Parameters
    ----------
    model : keras.Model with a layer "features" (N, F)
    svc : sklearn.svm.SVC with classes 0 to C - 1, fitted on `(features - mean) / sd`; kernel "linear", or "rbf" with a
        number as gamma
    mean, sd : float arrays of shape (F,)

    Returns
    -------
    keras.Model
        Layer "pairs" holds the decision of each pair of classes, as `decision_function` of shape "ovo" gives it, positive
        for the first. Output "logits" (N, C): for three classes and more scikit-learn's `decision_function` of shape
        "ovr", votes plus a share below a half that settles ties of votes, so that the largest is the class that
        `predict` names with `break_ties=True`; for two classes minus and plus half of `decision_function`.

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
        alike, kernel = standard, svc.coef_.T
    else:
        alike, kernel = _rbf_kernel(standard, svc), _compute_pair_weights(svc)
    # scikit-learn turns the sign where there are two classes only.
    sign = -1.0 if n_classes == 2 else 1.0
    pairs = _add_constant_dense(alike, sign * kernel, sign * svc.intercept_, PAIRS)
    return keras.Model(model.input, {"logits": _score_classes(pairs, n_classes)}, name=model.name)


def _rbf_kernel(standard: keras.KerasTensor, svc: "SVC") -> keras.KerasTensor:
    """`exp(-gamma * |x - v|^2)` for each support vector v, by `|x|^2 - 2 x v + |v|^2`."""
    vectors = np.asarray(svc.support_vectors_)
    squares = ops.sum(ops.square(standard), axis=1, keepdims=True)
    rest = _add_constant_dense(standard, -2 * vectors.T, (vectors**2).sum(axis=1), "support_vectors")
    distance = ops.maximum(squares + rest, 0.0)
    return layers.Activation("exponential")(layers.Rescaling(-svc.gamma)(distance))


def _compute_pair_weights(svc: "SVC") -> np.ndarray:
    """What each support vector weighs in each pair's decision: (vectors, pairs); LIBSVM keeps C - 1 numbers a vector."""
    ends = np.concatenate([[0], np.cumsum(svc.n_support_)])
    weights = np.zeros((ends[-1], _count_pairs(len(svc.n_support_))))
    for pair, (first, second) in enumerate(itertools.combinations(range(len(svc.n_support_)), 2)):
        of_first, of_second = (slice(ends[number], ends[number + 1]) for number in (first, second))
        weights[of_first, pair] = svc.dual_coef_[second - 1, of_first]
        weights[of_second, pair] = svc.dual_coef_[first, of_second]
    return weights


def _score_classes(pairs: keras.KerasTensor, n_classes: int) -> keras.KerasTensor:
    """From decisions of pairs (N, P) to scores of classes (N, C), as scikit-learn's "ovr" adds them up."""
    both = np.zeros((_count_pairs(n_classes), n_classes))
    for pair, (first, second) in enumerate(itertools.combinations(range(n_classes), 2)):
        both[pair, first], both[pair, second] = 1, -1
    margins = _add_constant_dense(pairs, both, None, "margins")
    if n_classes == 2:
        return layers.Rescaling(0.5, name="logits")(margins)
    # A pair won by its first class adds 1 there and 0 to the second: half the sign, and half a vote for both.
    won = ops.cast(ops.greater_equal(pairs, 0.0), "float32") * 2.0 - 1.0
    votes = _add_constant_dense(won, both / 2, np.full(n_classes, (n_classes - 1) / 2), "votes")
    return layers.Add(name="logits")([votes, margins / (3.0 * (ops.abs(margins) + 1.0))])


def _add_constant_dense(
    x: keras.KerasTensor, kernel: np.ndarray, bias: np.ndarray | None, name: str
) -> keras.KerasTensor:
    layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, trainable=False, name=name)
    output = layer(x)
    layer.set_weights([part.astype(np.float32) for part in (kernel, bias) if part is not None])
    return output


def _count_pairs(n_classes: int) -> int:
    return n_classes * (n_classes - 1) // 2
