"""The losses of the two heads."""

import keras

from bloodcell.training.spec import TrainSpec


def losses_of(spec: TrainSpec) -> dict[str, keras.losses.Loss]:
    """Loss of each output that the network has: cross-entropy, for the classes focal where `focal_gamma` is above 0 [1]_.

    The focal loss of a crop is the sum over classes of `-label * (1 - prob) ** gamma * log(prob)`: crops that the
    network is sure of and right count less. Its alpha is 1, as `class_weights` weigh the classes.

    References
    ----------
    .. [1] Lin et al. (2017), Focal loss for dense object detection, ICCV, doi:10.1109/ICCV.2017.324
    """
    if spec.focal_gamma > 0:
        classes = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=spec.focal_gamma, from_logits=True)
    else:
        classes = keras.losses.CategoricalCrossentropy(from_logits=True)
    known = {"known": keras.losses.BinaryCrossentropy(from_logits=True)} if spec.known_head else {}
    return {"logits": classes, **known}
