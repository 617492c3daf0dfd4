"""Measure the statistics of batch normalisation again once the weights are final."""

from collections.abc import Iterator

import keras
import numpy as np

from bloodcell.training.fitting.batches import DrawnBatches

MAX_BATCHES = 60


def measure_batch_statistics(model: keras.Model, batches: DrawnBatches) -> None:
    """Set mean and variance of every batch normalisation to those of training crops under the final weights [1]_.

    The running means of training lag behind the weights. Where these still change at the end, or are replaced by a mean
    over many steps or by an earlier epoch's, a well-trained network can predict one class for everything. They are
    replaced by the average over up to `MAX_BATCHES` batches, without dropout. Frozen normalisations stay as they are.

    Parameters
    ----------
    model : keras.Model
        The network; its statistics are changed.
    batches : DrawnBatches
        Its crops are drawn as in the epoch that it is at.

    References
    ----------
    .. [1] Wu & Johnson (2021), Rethinking "Batch" in BatchNorm, arXiv:2105.07576
    """
    layers = list(_iterate_layers(model))
    normalisations = [
        layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not normalisations:
        return
    dropouts = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    momenta, rates = [layer.momentum for layer in normalisations], [layer.rate for layer in dropouts]
    for layer in dropouts:
        layer.rate = 0.0
    for number in range(min(MAX_BATCHES, len(batches))):
        for layer in normalisations:
            layer.momentum = number / (number + 1)  # the average of all batches so far
        model(np.asarray(batches[number][0]), training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum
    for layer, rate in zip(dropouts, rates, strict=True):
        layer.rate = rate


def _iterate_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _iterate_layers(layer)
