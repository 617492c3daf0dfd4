"""The project's own small residual net: a ResNet cut down for crops of one cell and two processor cores."""

import keras
from keras import layers

from bloodcell.imaging.scale import Scaling
from bloodcell.zoo.scaling import scale_crops

STAGE_WIDTHS = (24, 48, 96, 160)
# Runs are short (about a thousand steps), so the running means must follow quickly.
BATCH_NORM_MOMENTUM = 0.9


def build_small(
    side_px: int,
    n_classes: int,
    stage_widths: tuple[int, ...] = STAGE_WIDTHS,
    dropout: float = 0.3,
    scaling: Scaling | None = None,
) -> keras.Model:
    """Build the net; scaling is inside, so it takes raw crops.

    Parameters
    ----------
    side_px : int, side of the square crops
    n_classes : int
    stage_widths : channels of the stages, each at half the resolution of the one before
    dropout : float, before the heads
    scaling : Scaling of the levels; None for "-1..1"

    Returns
    -------
    keras.Model
        Input float32 (N, side_px, side_px, 3) with levels 0-255. Outputs a dict: "logits" (N, n_classes),
        before the softmax; "known" (N, 1), a logit that the crop shows a cell of one of the classes at all.

    References
    ----------
    .. [1] He et al. (2016), Deep residual learning, CVPR, doi:10.1109/CVPR.2016.90
    """
    crops = keras.Input((side_px, side_px, 3), name="crops")
    x = scale_crops(crops, scaling)
    x = layers.Conv2D(stage_widths[0], 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    x = layers.ReLU()(x)
    for stage, width in enumerate(stage_widths):
        x = _residual_block(x, width, stride=1 if stage == 0 else 2, name=f"stage{stage}")
    features = layers.GlobalAveragePooling2D(name="features")(x)
    dropped = layers.Dropout(dropout)(features)
    logits = layers.Dense(n_classes, name="logits")(dropped)
    known = layers.Dense(1, name="known")(dropped)
    return keras.Model(crops, {"logits": logits, "known": known}, name="small")


def _residual_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = layers.AveragePooling2D(stride, padding="same")(shortcut) if stride > 1 else shortcut
        shortcut = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
        shortcut = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(shortcut)
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv2")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add()([x, shortcut]))
