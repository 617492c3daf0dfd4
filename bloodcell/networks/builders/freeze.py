"""The two phases of transfer learning: first the head on a frozen backbone, then all at a very low learning rate.

A network trained from scratch never goes through either phase: its batch normalisation has to be trained.
"""

import keras
from keras import layers

from bloodcell.model_store.io_spec import FEATURES


def list_backbone_layers(model: keras.Model) -> list[layers.Layer]:
    """List the layers up to the layer "features", without the input itself."""
    backbone = keras.Model(model.input, model.get_layer(FEATURES).output)
    return [layer for layer in backbone.layers if not isinstance(layer, layers.InputLayer)]


def freeze_backbone(model: keras.Model) -> None:
    """Make only the head trainable; compile afterwards."""
    for layer in list_backbone_layers(model):
        layer.trainable = False


def thaw_backbone(model: keras.Model) -> None:
    """Make everything trainable but batch normalisation, which stays in inference mode [1]_; compile afterwards.

    In Keras, a normalisation that is not trainable uses its stored mean and variance. Updated from few images at the
    start of fine-tuning, these would undo what the backbone was trained to.

    References
    ----------
    .. [1] Chollet, Transfer learning & fine-tuning, keras.io/guides/transfer_learning
    """
    for layer in list_backbone_layers(model):
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
