"""The first and last layers that networks share, so that training, export and inference find the same names."""

import keras
from keras import layers

from bloodcell.model_store.io_spec import IN_DISTRIBUTION, LOGITS
from bloodcell.networks.builders.scaling import scale_crops
from bloodcell.networks.settings import NetworkSettings


def build_scaled_input(settings: NetworkSettings) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Build the input "crops" of raw levels, and the same scaled."""
    crops = keras.Input((settings.height_px, settings.width_px, 3), name="crops")
    return crops, scale_crops(crops, settings.scaling)


def add_heads(
    crops: keras.KerasTensor,
    features: keras.KerasTensor,
    settings: NetworkSettings,
    name: str,
    hidden: tuple[int, ...] = (),
    dropout: float | None = None,
) -> keras.Model:
    """Add dropout, dense layers and the outputs after the layer "features".

    Parameters
    ----------
    crops : KerasTensor
        Input of the network.
    features : KerasTensor, shape (N, F)
        Output of the layer "features".
    settings : NetworkSettings
        Classes, dropout and OOD head.
    name : str
        Name of the network.
    hidden : tuple of int, default ()
        Units of the dense layers before the classes.
    dropout : float, optional
        In place of the settings'; 0 for none.

    Returns
    -------
    keras.Model
        Its output is a dict: "logits" (N, n_classes), before the softmax; with an OOD head also "known" (N, 1), the
        logit that the crop shows a cell of one of the classes at all.
    """
    rate = settings.dropout if dropout is None else dropout
    dropped = layers.Dropout(rate, name="head_dropout")(features) if rate else features
    x = dropped
    for width in hidden:
        x = layers.Dense(width, activation="relu", name=f"head_{width}")(x)
    outputs = {LOGITS: layers.Dense(settings.n_classes, name=LOGITS)(x)}
    if settings.ood_head:
        outputs[IN_DISTRIBUTION] = layers.Dense(1, name=IN_DISTRIBUTION)(dropped)
    return keras.Model(crops, outputs, name=name)
