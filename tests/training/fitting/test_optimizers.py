"""The optimizer that a spec asks for, and its rate from step to step."""

from dataclasses import replace

import keras
import pytest

from bloodcell.training.fitting.optimizers import build_optimizer, read_learning_rate
from tests.training.tiny_run import FOREIGN_WARNINGS, SPEC

pytestmark = FOREIGN_WARNINGS
STEPS = 10  # an epoch


def rates(optimizer, steps):
    schedule = optimizer._learning_rate
    return [float(schedule(step)) for step in steps]


def test_the_default_is_adamw_with_the_running_mean_as_the_shipped_model_was_trained():
    optimizer = build_optimizer(replace(SPEC, weight_decay=0.003), STEPS, SPEC.epochs, SPEC.learning_rate)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.003, 1.0)
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.99)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("nadam", keras.optimizers.Nadam),
        ("rmsprop", keras.optimizers.RMSprop),
        ("sgd", keras.optimizers.SGD),
    ],
)
def test_the_others_decay_no_weights(name, kind):
    optimizer = build_optimizer(
        replace(SPEC, optimizer=name, momentum=0.8, keep="last"), STEPS, SPEC.epochs, SPEC.learning_rate
    )
    assert type(optimizer) is kind
    assert optimizer.weight_decay is None
    assert not optimizer.use_ema
    if name == "sgd":
        assert optimizer.momentum == 0.8


def test_cosine_warms_up_over_a_twentieth_and_ends_at_nothing():
    optimizer = build_optimizer(SPEC, STEPS, 4, 0.02)  # 40 steps, 2 of them to warm up
    assert rates(optimizer, (0, 2, 21, 40)) == pytest.approx([0.001, 0.02, 0.01, 0], abs=1e-8)


def test_exponential_is_multiplied_after_each_epoch():
    optimizer = build_optimizer(replace(SPEC, schedule="exponential", rate_factor=0.5), STEPS, SPEC.epochs, 0.02)
    assert rates(optimizer, (0, 10, 20)) == pytest.approx([0.02, 0.01, 0.005])


@pytest.mark.parametrize("schedule", ["constant", "reduce on plateau"])
def test_a_rate_that_stays_until_it_is_changed(schedule):
    optimizer = build_optimizer(replace(SPEC, schedule=schedule), STEPS, SPEC.epochs, 0.02)
    assert read_learning_rate(optimizer) == 0.02
    optimizer.learning_rate = 0.004
    assert read_learning_rate(optimizer) == 0.004
