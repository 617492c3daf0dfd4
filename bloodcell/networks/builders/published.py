"""The plain convolutional networks of published work on these data, rebuilt."""

from typing import Final

import keras
from keras import layers, ops

from bloodcell.core.errors import SpecError
from bloodcell.model_store.io_spec import FEATURES, IN_DISTRIBUTION, LOGITS
from bloodcell.networks.builders.heads import add_heads, build_scaled_input
from bloodcell.networks.registry import check_stages
from bloodcell.networks.settings import NetworkSettings

BLOCK_WIDTHS: Final = (64, 128, 256, 512, 1024)
KERNEL_PX: Final = 2
FIRST_POOL: Final = (3, 4)
FCN_LAST_POOL: Final = 5
BATCH_NORM_WIDTHS: Final = (32, 64, 128, 256)
CUSTOM_WIDTHS: Final = (32, 64, 128, 128)
DENSE_WIDTH: Final = 128
# Keeps the logarithm of a probability of 0 finite.
TINY: Final = 1e-7


def build_cnn(settings: NetworkSettings) -> keras.Model:
    """Build the published CNN: five blocks, dense 128, classes; 3,312,964 parameters for 120x160 and four classes.

    A block is a convolution (kernel 2, same padding), dropout and max pooling, the first by 3 rows and 4 columns, the
    others by 2. "features" are the 128 outputs of the dense layer: the last maps, flattened, would be 4,096.

    Raises
    ------
    SpecError
        If the input is too small for all pooling layers.
    """
    crops, x = build_scaled_input(settings)
    widths = settings.stage_widths or BLOCK_WIDTHS
    x = _add_blocks(x, settings, [FIRST_POOL, *[(2, 2)] * (len(widths) - 1)])
    features = layers.Dense(DENSE_WIDTH, activation="relu", name=FEATURES)(layers.Flatten()(x))
    return add_heads(crops, features, settings, "cnn", dropout=0)


def build_fcn(settings: NetworkSettings) -> keras.Model:
    """Build the published FCN: the CNN's blocks, 1x1 convolutions in place of dense layers; 2,853,892 parameters.

    The published network ends in maps of a softmax over the classes, whose maxima over all places are its output. These
    maxima need not sum to 1; Keras' cross-entropy divides them by their sum. The softmax of their logarithms is that
    same quotient, so `log(maximum + tiny)` as logits is the same model. "features" are the maxima of the 64 maps before
    the classes. The logits do not depend on them; they are added times 0, so that the network contains them.

    Raises
    ------
    SpecError
        If the input is too small for all pooling layers, or there is only one stage: the first and the last stage pool
        in their own ways.
    """
    check_stages("fcn", settings.stage_widths)
    crops, x = build_scaled_input(settings)
    widths = settings.stage_widths or BLOCK_WIDTHS
    x = _add_blocks(x, settings, [FIRST_POOL, *[(2, 2)] * (len(widths) - 2), (FCN_LAST_POOL, FCN_LAST_POOL)])
    x = layers.Conv2D(64, 1, activation="relu", name="maps64")(x)
    features = layers.GlobalMaxPooling2D(name=FEATURES)(x)
    maps = layers.Conv2D(settings.n_classes, 1, activation="softmax", name="class_maps")(x)
    pooled = layers.GlobalMaxPooling2D(name="class_maxima")(maps)
    outputs = {LOGITS: ops.log(pooled + TINY) + 0.0 * ops.sum(features, axis=-1, keepdims=True)}
    if settings.ood_head:
        outputs[IN_DISTRIBUTION] = layers.Dense(1, name=IN_DISTRIBUTION)(features)
    return keras.Model(crops, outputs, name="fcn")


def build_cnn_batch_norm(settings: NetworkSettings) -> keras.Model:
    """Build the CNN with batch normalisation: blocks of convolution, normalisation, ReLU, max pooling, dropout.

    It was published without its widths; here they are 32, 64, 128 and 256 with kernels of 3, and averages over the last
    maps.
    """
    crops, x = build_scaled_input(settings)
    for number, width in enumerate(settings.stage_widths or BATCH_NORM_WIDTHS, start=1):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{number}_norm")(x)
        x = layers.ReLU(name=f"block{number}_out")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"block{number}_pool")(x)
        x = layers.Dropout(settings.dropout, name=f"block{number}_dropout")(x)
    features = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    return add_heads(crops, features, settings, "cnn_batch_norm")


def build_custom_cnn(settings: NetworkSettings) -> keras.Model:
    """Build the custom CNN for 128x128: convolutions of 3 and max pooling by 2, four times, then dense 128.

    Its augmentation (rotation, flip, contrast) is applied in training and named in the registry.
    """
    crops, x = build_scaled_input(settings)
    for number, width in enumerate(settings.stage_widths or CUSTOM_WIDTHS, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"block{number}_conv")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"block{number}_pool")(x)
    features = layers.Dense(DENSE_WIDTH, activation="relu", name=FEATURES)(layers.Flatten()(x))
    return add_heads(crops, features, settings, "custom_cnn")


def _add_blocks(x: keras.KerasTensor, settings: NetworkSettings, pools: list[tuple[int, int]]) -> keras.KerasTensor:
    """Add convolution, dropout and pooling, once for each of `pools`."""
    widths, kernel_px = settings.stage_widths or BLOCK_WIDTHS, settings.kernel_px or KERNEL_PX
    rows, cols = settings.height_px, settings.width_px
    for number, (width, pool) in enumerate(zip(widths, pools, strict=True), start=1):
        rows, cols = rows // pool[0], cols // pool[1]
        if min(rows, cols) < 1:
            size = (settings.height_px, settings.width_px)
            raise SpecError(f"The input must be large enough for pooling by {pools}. Received: {size}.")
        x = layers.Conv2D(width, kernel_px, padding="same", activation="relu", name=f"block{number}_conv")(x)
        x = layers.Dropout(settings.dropout, name=f"block{number}_dropout")(x)
        x = layers.MaxPooling2D(pool, name=f"block{number}_pool")(x)
    return x
