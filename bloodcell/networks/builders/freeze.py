"""The two rounds of transfer learning: first the head on a frozen backbone, then all at a very low rate.

A network taught from scratch is never brought into either round: its batch normalisation must learn.
"""

import keras
from keras import layers

from bloodcell.networks.builders.heads import FEATURES


def list_backbone_layers(model: keras.Model) -> list[layers.Layer]:
    """The layers from the input to the layer "features", without the input itself."""
    backbone = keras.Model(model.input, model.get_layer(FEATURES).output)
    return [layer for layer in backbone.layers if not isinstance(layer, layers.InputLayer)]


def freeze_backbone(model: keras.Model) -> None:
    """Let only the head learn; compile afterwards."""
    for layer in list_backbone_layers(model):
        layer.trainable = False


def thaw_backbone(model: keras.Model) -> None:
    """Let everything learn but batch normalisation, which stays in inference mode [1]_; compile afterwards.

    In Keras a normalisation that is not trainable uses its stored mean and variance; updated from few images at the
    start of fine-tuning, these would undo what the backbone knows.

    References
    ----------
    .. [1] Chollet, Transfer learning & fine-tuning, keras.io/guides/transfer_learning
    """
    for layer in list_backbone_layers(model):
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
