"""The losses of the two heads of a classifier, and of a mask."""

import keras

from bloodcell.training.specs.train_spec import TrainSpec


def build_losses(spec: TrainSpec) -> dict[str, keras.losses.Loss]:
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
    known = {"known": keras.losses.BinaryCrossentropy(from_logits=True)} if spec.ood_head else {}
    return {"logits": classes, **known}


class MaskLoss(keras.losses.Loss):
    """Cross-entropy of the pixels plus 1 - soft Dice of each picture [1]_.

    Cross-entropy alone is content for many epochs with empty masks where the cell is a small part of the picture.
    Targets are 0 or 1, predictions logits, both (N, H, W, 1).

    References
    ----------
    .. [1] Milletari et al. (2016), V-Net, 3DV, arXiv:1606.04797 (the Dice part)
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        pixels = keras.ops.mean(keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True), axis=(1, 2))
        probs = keras.ops.sigmoid(y_pred)
        shared = keras.ops.sum(y_true * probs, axis=(1, 2, 3))
        total = keras.ops.sum(y_true + probs, axis=(1, 2, 3))
        return pixels + 1 - (2 * shared + 1) / (total + 1)  # the ones: 0 where both are empty
