"""The losses of a detector: focal on the heat maps, generalised IoU on the boxes."""

from typing import Final

import keras
from keras import ops

from bloodcell.model_store.detectors import MAX_LOG_SIDE
from bloodcell.training.samples.field_targets import N_CLASSES

BOX_WEIGHT: Final = 2.0


def compute_detector_loss(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Compute the loss of a batch.

    Parameters
    ----------
    target : tensor, shape (N, h, w, 6 * n_classes)
        From `field_targets.make_targets`.
    prediction : tensor, shape (N, h, w, 5 * n_classes)
        The outputs "centres" and "sides" of the detector, one behind the other.

    Returns
    -------
    tensor, shape ()
        Focal loss [1]_ and weighted loss of the boxes [2]_, each divided by the number of cells.

    References
    ----------
    .. [1] Lin et al. (2017), Focal loss for dense object detection, ICCV, arXiv:1708.02002; in the form for heat maps of
       Zhou et al. (2019), Objects as points, arXiv:1904.07850
    .. [2] Rezatofighi et al. (2019), Generalized intersection over union, CVPR, arXiv:1902.09630
    """
    heat, weight, sides = ops.split(target, [N_CLASSES, 2 * N_CLASSES], axis=-1)
    logits, log_sides = ops.split(prediction, [N_CLASSES], axis=-1)
    n_cells = ops.maximum(ops.sum(ops.cast(heat >= 1.0, "float32")), 1.0)
    focal = _compute_focal(heat, logits) / n_cells
    shape = (-1, 4)
    predicted = ops.exp(ops.clip(ops.reshape(log_sides, shape), -MAX_LOG_SIDE, MAX_LOG_SIDE))
    boxes = _compute_giou_loss(ops.reshape(sides, shape), predicted)
    return focal + BOX_WEIGHT * ops.sum(boxes * ops.reshape(weight, (-1,))) / n_cells


def _compute_focal(heat: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    probability = ops.sigmoid(logits)
    log_yes, log_no = -ops.softplus(-logits), -ops.softplus(logits)
    is_centre = ops.cast(heat >= 1.0, "float32")
    at_centres = is_centre * ops.square(1 - probability) * log_yes
    elsewhere = (1 - is_centre) * (1 - heat) ** 4 * ops.square(probability) * log_no
    return -ops.sum(at_centres + elsewhere)


def _compute_giou_loss(true: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Compute 1 - GIoU of boxes around one point, each given by its distances to top, left, bottom and right."""
    shared = ops.minimum(true, predicted)
    hull = ops.maximum(true, predicted)

    def area(sides: keras.KerasTensor) -> keras.KerasTensor:
        return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])

    intersection, whole = area(shared), area(hull)
    union = ops.maximum(area(true) + area(predicted) - intersection, 1e-6)
    return 1 - intersection / union + (whole - union) / ops.maximum(whole, 1e-6)
