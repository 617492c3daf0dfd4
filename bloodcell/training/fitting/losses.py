"""The losses of the two heads of a classifier, and of a U-Net."""

import keras

from bloodcell.model_store.io_spec import IN_DISTRIBUTION, LOGITS
from bloodcell.training.specs.train_spec import TrainSpec


def build_losses(spec: TrainSpec) -> dict[str, keras.losses.Loss]:
    """Build the loss of each output of a network: cross-entropy, or the focal loss [1]_ where `focal_gamma` is above 0.

    The focal loss of a crop is the sum over classes of `-label * (1 - prob) ** gamma * log(prob)`: crops that the
    network classifies correctly and confidently count less. Its alpha is 1, as `class_weights` weight the classes.

    Parameters
    ----------
    spec : TrainSpec
        Its `focal_gamma`, and whether its network has an out-of-distribution head.

    Returns
    -------
    dict of str to keras.losses.Loss
        Name of the output -> loss on its logits.

    References
    ----------
    .. [1] Lin et al. (2017), Focal loss for dense object detection, ICCV, doi:10.1109/ICCV.2017.324
    """
    losses: dict[str, keras.losses.Loss] = {}
    if spec.focal_gamma > 0:
        losses[LOGITS] = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=spec.focal_gamma, from_logits=True)
    else:
        losses[LOGITS] = keras.losses.CategoricalCrossentropy(from_logits=True)
    if spec.ood_head:
        losses[IN_DISTRIBUTION] = keras.losses.BinaryCrossentropy(from_logits=True)
    return losses


class MaskLoss(keras.losses.Loss):
    """Cross-entropy of the pixels plus 1 - soft Dice of each image [1]_.

    With cross-entropy alone, masks stay empty for many epochs where the cell is a small part of the image. Targets are
    0 or 1, predictions logits, both of shape (N, H, W, 1).

    References
    ----------
    .. [1] Milletari et al. (2016), V-Net, 3DV, arXiv:1606.04797 (the Dice part)
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Compute the loss of each image, shape (N,)."""
        pixels = keras.ops.mean(keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True), axis=(1, 2))
        probs = keras.ops.sigmoid(y_pred)
        shared = keras.ops.sum(y_true * probs, axis=(1, 2, 3))
        total = keras.ops.sum(y_true + probs, axis=(1, 2, 3))
        return pixels + 1 - (2 * shared + 1) / (total + 1)  # the ones: 0 where both are empty
