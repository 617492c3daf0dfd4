"""Measure the statistics of batch normalisation anew once the weights stand still."""

from collections.abc import Iterator

import keras
import numpy as np

from bloodcell.training.fitting.batches import DrawnBatches

MAX_BATCHES = 60


def measure_batch_statistics(model: keras.Model, batches: DrawnBatches) -> None:
    """Set mean and variance of every batch normalisation to those of learned crops under the weights as they are [1]_.

    The running means of training lag behind the weights: where these still move at the end, or are replaced by a mean
    over many steps or by an earlier epoch's, a network that learned well can answer one class for everything. The
    average of up to `MAX_BATCHES` batches, without dropout, takes their place. Normalisations that were frozen stay.

    Parameters
    ----------
    batches : whose crops are drawn as in the epoch that it stands at

    References
    ----------
    .. [1] Wu & Johnson (2021), Rethinking "Batch" in BatchNorm, arXiv:2105.07576
    """
    layers = list(_iterate_layers(model))
    normed = [one for one in layers if isinstance(one, keras.layers.BatchNormalization) and one.trainable]
    if not normed:
        return
    dropped = [one for one in layers if isinstance(one, keras.layers.Dropout)]
    momenta, rates = [one.momentum for one in normed], [one.rate for one in dropped]
    for one in dropped:
        one.rate = 0.0
    for number in range(min(MAX_BATCHES, len(batches))):
        for one in normed:
            one.momentum = number / (number + 1)  # the average of all batches so far
        model(np.asarray(batches[number][0]), training=True)
    for one, momentum in zip(normed, momenta, strict=True):
        one.momentum = momentum
    for one, rate in zip(dropped, rates, strict=True):
        one.rate = rate


def _iterate_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _iterate_layers(layer)
