"""The optimizer of a spec, with its learning rate schedule and the running mean of the weights."""

import keras

from bloodcell.training.specs.choices import CONSTANT, COSINE, EXPONENTIAL, KEEP_MEAN, PLATEAU
from bloodcell.training.specs.train_spec import TrainSpec

# With "mean", the weights of the model are a running mean over about the last hundred steps.
EMA_MOMENTUM = 0.99
CLIPNORM = 1.0


def build_optimizer(
    spec: TrainSpec, steps_per_epoch: int, epochs: int, learning_rate: float
) -> keras.optimizers.Optimizer:
    """Build the optimizer of one phase of a fit; gradients are clipped to a common norm of 1.

    Parameters
    ----------
    spec : TrainSpec
        Its optimizer and schedule.
    steps_per_epoch : int
        Batches per epoch.
    epochs : int
        Epochs of the phase.
    learning_rate : float
        Learning rate at the start of the schedule. That of "reduce on plateau" is brought down by the training
        callback (`output.history.compute_plateau_rate`).

    Returns
    -------
    keras.optimizers.Optimizer
    """
    rate = _build_schedule(spec, steps_per_epoch, epochs, learning_rate)
    common = {"global_clipnorm": CLIPNORM, "use_ema": spec.keep == KEEP_MEAN, "ema_momentum": EMA_MOMENTUM}
    if spec.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=spec.weight_decay, **common)
    if spec.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=spec.momentum, **common)
    classes = {"adam": keras.optimizers.Adam, "nadam": keras.optimizers.Nadam, "rmsprop": keras.optimizers.RMSprop}
    return classes[spec.optimizer](rate, **common)


def read_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Read the learning rate of the next step, to six digits."""
    return float(f"{float(keras.ops.convert_to_numpy(optimizer.learning_rate)):.6g}")


def _build_schedule(
    spec: TrainSpec, steps_per_epoch: int, epochs: int, learning_rate: float
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if spec.schedule == COSINE:
        steps = steps_per_epoch * epochs
        warm_up = max(1, steps // 20)
        return keras.optimizers.schedules.CosineDecay(
            learning_rate / 20, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
        )
    if spec.schedule == EXPONENTIAL:
        return keras.optimizers.schedules.ExponentialDecay(learning_rate, steps_per_epoch, spec.rate_factor)
    return {CONSTANT: learning_rate, PLATEAU: learning_rate}[spec.schedule]
