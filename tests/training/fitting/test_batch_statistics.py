"""Batch normalisation after training: the statistics are those of the training crops under the final weights."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from bloodcell.imaging.augment import NO_AUGMENTATION
from bloodcell.training.fitting.batch_statistics import measure_batch_statistics
from bloodcell.training.fitting.batches import DrawnBatches
from tests.training.samples.test_samples import samples, spec
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
EVERY = spec(
    class_sampling="every image once", images_per_epoch=0, unknown_share=0, batch_size=4, augment=NO_AUGMENTATION
)


def net():
    crops = keras.Input((32, 32, 3))
    x = keras.layers.Dropout(0.5, name="dropped")(crops)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    return keras.Model(crops, keras.layers.GlobalAveragePooling2D()(x))


def test_mean_and_variance_of_all_batches_without_dropout():
    """Crops of one level each, 0 to 7, in two batches of four: the mean is 3.5, the variances average within batches."""
    batches = DrawnBatches(samples([0, 1] * 4), EVERY)
    levels = [batches[number][0][:, 0, 0, 0] for number in range(2)]
    model = net()
    measure_batch_statistics(model, batches)
    norm = model.get_layer("norm")
    assert np.asarray(norm.moving_mean) == pytest.approx(np.full(3, 3.5), abs=1e-4)
    assert np.asarray(norm.moving_variance) == pytest.approx(
        np.full(3, np.mean([one.var() for one in levels])), rel=1e-4
    )
    assert (norm.momentum, model.get_layer("dropped").rate) == (0.9, 0.5)


def test_a_frozen_normalisation_stays():
    model = net()
    model.get_layer("norm").trainable = False
    measure_batch_statistics(model, DrawnBatches(samples([0, 1] * 4), EVERY))
    assert np.asarray(model.get_layer("norm").moving_mean).tolist() == [0, 0, 0]


def test_it_does_not_matter_what_the_statistics_were():
    batches = DrawnBatches(samples([0, 1] * 4), replace(EVERY, seed=3))
    first, second = net(), net()
    second.get_layer("norm").moving_mean.assign([9.0, 9.0, 9.0])
    for model in (first, second):
        measure_batch_statistics(model, batches)
    assert np.array_equal(
        np.asarray(first.get_layer("norm").moving_mean), np.asarray(second.get_layer("norm").moving_mean)
    )
